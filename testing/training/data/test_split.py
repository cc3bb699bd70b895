"""The split of subjects: disjoint and complete subsets, reproducible by the seed, balanced by strata."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.errors import InputError
from spineseg_cli.training.data.split import SUBSETS, read_split, split_folds, split_subjects, write_split

SHARES = st.sampled_from([0.1, 0.2, 0.3])
SUBJECTS = st.sets(st.integers(0, 999).map("sub-{:03d}".format), min_size=3, max_size=40)


@given(SUBJECTS, SHARES, SHARES, st.integers(0, 5), st.randoms(use_true_random=False))
def test_parts(subjects, test, validation, seed, random):
    split = split_subjects(subjects, test, validation, seed)
    assert set(split) == subjects
    counts = Counter(split.values())
    for part, share in (("test", test), ("validation", validation)):
        assert counts[part] == max(1, round(share * len(subjects)))
    assert counts["train"] >= 1
    shuffled = sorted(subjects)
    random.shuffle(shuffled)
    assert split_subjects(shuffled, test, validation, seed) == split


@given(SUBJECTS, st.integers(1, 4), st.integers(0, 5))
def test_strata_are_balanced(subjects, kinds, seed):
    strata = {name: f"site {i % kinds}" for i, name in enumerate(sorted(subjects))}
    split = split_subjects(subjects, 0.2, 0.2, seed, strata)
    assert set(split) == subjects
    for site, size in Counter(strata.values()).items():
        counts = Counter(split[name] for name in subjects if strata[name] == site)
        if min(Counter(strata.values()).values()) >= 3:
            assert all(counts[part] >= 1 for part in SUBSETS)
            assert all(abs(counts[part] - max(1, 0.2 * size)) <= 0.5 for part in ("test", "validation"))


@given(SUBJECTS, st.integers(2, 6), st.integers(0, 5))
def test_folds_test_on_everybody_once(subjects, folds, seed):
    subjects = sorted(subjects) + ["sub-a", "sub-b", "sub-c"]
    splits = split_folds(subjects, folds, 0.2, seed, dict.fromkeys(subjects, "all"))
    assert len(splits) == folds
    tested = [name for split in splits for name, part in split.items() if part == "test"]
    assert sorted(tested) == sorted(subjects)
    for split in splits:
        assert set(split) == set(subjects)
        assert set(split.values()) == set(SUBSETS)


def test_seeds_differ_and_no_test_is_a_choice():
    subjects = [f"sub-{n}" for n in range(20)]
    assert len({tuple(split_subjects(subjects, 0.2, 0.2, seed).items()) for seed in range(5)}) == 5
    assert set(split_subjects(subjects, 0, 0.2, 0).values()) == {"train", "validation"}


def test_mistakes_are_named():
    subjects = ["sub-1", "sub-2", "sub-3"]
    for shares in ((0.5, 0.5), (0.2, 0), (1, 0.2), (-0.1, 0.2)):
        with pytest.raises(InputError, match="expected fractions that leave subjects to train on"):
            split_subjects(subjects, *shares, 0)
    with pytest.raises(InputError, match="expected 3 subjects or more, one for each subset; got 2"):
        split_subjects(subjects[:2], 0.2, 0.2, 0)
    with pytest.raises(InputError, match="no entry to stratify by for sub-3"):
        split_subjects(subjects, 0.2, 0.2, 0, {"sub-1": "A", "sub-2": "A", "sub-3": ""})
    with pytest.raises(InputError, match="expected 2 to 3 folds"):
        split_folds(subjects, 4, 0.2, 0)


def test_a_given_split(tmp_path):
    path = tmp_path / "split.tsv"
    split = {"sub-1": "train", "sub-2": "validation", "sub-3": "test"}
    write_split(path, split | {"sub-4": "train"})
    assert read_split(path, ["sub-3", "sub-1", "sub-2"]) == split
    with pytest.raises(InputError, match="gives no subset to sub-5"):
        read_split(path, ["sub-1", "sub-5"])
    with pytest.raises(InputError, match="no subject with labeled scans in the subset validation"):
        read_split(path, ["sub-1", "sub-3"])
    path.write_text("participant_id\tsubset\nsub-1\tholdout\n")
    with pytest.raises(InputError, match="subset of sub-1 in .*'holdout'"):
        read_split(path, ["sub-1"])
    path.write_text("participant_id\tsubset\nsub-1\ttrain\nsub-1\ttest\n")
    with pytest.raises(InputError, match="sub-1 is in two subsets in .*: train and test"):
        read_split(path, ["sub-1"])


def test_sessions_of_one_subject_stay_together(tmp_path):
    path = tmp_path / "split.tsv"
    path.write_text("participant_id\tsubset\nsub-1Ses1\ttrain\nsub-1Ses2\ttrain\nsub-2\tvalidation\n")
    assert read_split(path, ["sub-1", "sub-2"]) == {"sub-1": "train", "sub-2": "validation"}
    path.write_text("participant_id\tsubset\nsub-1Ses1\ttrain\nsub-1Ses2\ttest\nsub-2\tvalidation\n")
    with pytest.raises(InputError, match="sub-1 is in two subsets in .*: train and test"):
        read_split(path, ["sub-1", "sub-2"])
