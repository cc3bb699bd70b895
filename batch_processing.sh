#!/usr/bin/env bash
# Run every command over a folder of subjects; without arguments, over three example subjects made on the spot.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./batch_processing.sh [DATA] [-o RESULTS] [-p PATTERN] [-f] [-- SEG_GM OPTIONS]
  DATA         folder of subjects (BIDS: sub-*/anat/*.nii.gz) [default: example subjects, made in RESULTS/data]
  -o RESULTS   folder of the results [default: results]
  -p PATTERN   name of the scans to segment [default: *T2s*.nii.gz]
  -f           process again what is already there (else a stopped batch goes on where it stopped; with other options for
               seg_gm, all of it is done again)
  --           everything after this goes to seg_gm: -- --tta -m gm
Of each scan: the cord's mask, its centerline (NIfTI and CSV), its gray and its white matter. Masks found in
DATA/derivatives/labels are compared with them: ..._label-GM_seg.nii.gz or ..._gmseg*.nii.gz, ..._label-SC_seg.nii.gz or
..._seg*.nii.gz.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data="" results=results pattern='*T2s*.nii.gz' force="" options=()
while [ $# -gt 0 ]; do
  case $1 in
    -o) results=${2:?-o needs a folder}; shift ;;
    -p) pattern=${2:?-p needs a pattern}; shift ;;
    -f) force=1 ;;
    -h | --help) usage; exit 0 ;;
    --) shift; options=("$@"); break ;;
    -*) usage >&2; exit 2 ;;
    *) data=$1 ;;
  esac
  shift
done

[ -z "$data" ] || [ -d "$data" ] || { echo "batch: no folder $data" >&2; exit 2; }
venv=${SPINESEG_VENV:-$here/.venv}
if ! [ -x "$venv/bin/seg_gm" ]; then "$here/install_sct_like.sh" --venv "$venv"; fi
PATH=$venv/bin:$PATH

mkdir -p "$results/log"
if [ -z "$data" ]; then
  data=$results/data
  [ -d "$data" ] || python -m spineseg_cli.cli.make_example "$data"
fi
while [ "${data%/}" != "$data" ] && [ "$data" != / ]; do data=${data%/}; done

reference_of() { # the expert's mask of a scan, if there is one: reference_of FOLDER STEM LABEL SUFFIX
  [ ! -d "$data/derivatives/labels/$1" ] ||
    find "$data/derivatives/labels/$1" -name "$2_label-$3_seg.nii.gz" -o -name "$2_$4*.nii.gz" | sort | sed -n 1p
}

# Run a command with its log, and give its exit code; 3, done but empty, is no failure.
logged() {
  local code=0
  "$@" >>"$log" 2>&1 || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 3 ]
}

compare() { # compare TABLE REFERENCE PREDICTION ...: pairs, one after the other
  local table=$1 predictions=() references=()
  shift
  while [ $# -gt 0 ]; do
    references+=("$1") predictions+=("$2")
    shift 2
  done
  [ ${#predictions[@]} -gt 0 ] || return 0
  local code=0
  compute_metrics -i "${predictions[@]}" -r "${references[@]}" -o "$table" || code=$?
  if [ "$code" -ne 0 ] && [ "$code" -ne 3 ]; then # 3: nothing but empty masks
    echo "batch: no $table was written" >&2
    failed+=("$table")
  fi
}

scans() { # scans FIND-TESTS: those in anat folders, not the experts' masks
  find -H "$data" -path "$data/derivatives" -prune -o -path '*/anat/*.nii.gz' "$@" -print | sort
}

started="batch: seg_gm ${options[*]-}"
failed=() gray_pairs=() cord_pairs=() done_count=0
while IFS= read -r scan; do
  folder=$(dirname "${scan#"$data"/}")
  stem=$(basename "$scan" .nii.gz)
  out=$results/processed/$folder/$stem
  cord=${out}_seg.nii.gz gray=${out}_gmseg.nii.gz
  log=$results/log/$folder/$stem.log
  if [ -z "$force" ] && [ -f "$gray" ] && [ "$(sed -n 1p "$log" 2>/dev/null)" = "$started" ]; then
    echo "batch: $stem is there already"
  else
    mkdir -p "$(dirname "$out")" "$(dirname "$log")"
    echo "batch: $stem"
    echo "$started" >"$log"
    if ! { logged seg_cord -i "$scan" -o "$cord" && logged get_centerline -i "$scan" -o "${out}_centerline.nii.gz" &&
      logged seg_gm -i "$scan" -o "$gray" --wm "${out}_wmseg.nii.gz" ${options[@]+"${options[@]}"}; }; then
      echo "batch: $stem failed: $(tail -n 1 "$log")" >&2
      failed+=("$stem")
      continue
    fi
    grep "an empty mask was written" "$log" >&2 || true
  fi
  done_count=$((done_count + 1))
  reference=$(reference_of "$folder" "$stem" GM gmseg)
  [ -z "$reference" ] || gray_pairs+=("$reference" "$gray")
  reference=$(reference_of "$folder" "$stem" SC seg)
  [ -z "$reference" ] || cord_pairs+=("$reference" "$cord")
done < <(scans -name "$pattern")

failed_count=${#failed[@]}
compare "$results/metrics_gm.csv" ${gray_pairs[@]+"${gray_pairs[@]}"}
compare "$results/metrics_cord.csv" ${cord_pairs[@]+"${cord_pairs[@]}"}
echo "batch: $done_count scans done, $failed_count failed; masks in $results/processed, logs in $results/log"
others=$(scans ! -name "$pattern" | wc -l)
[ "$others" -eq 0 ] || echo "batch: $others other scans are not named $pattern, and were left alone; name them with -p"
if [ "$done_count" -eq 0 ] && [ ${#failed[@]} -eq 0 ]; then
  echo "batch: found no scan named $pattern in an anat folder under $data; name others with -p" >&2
  exit 2
fi
[ ${#failed[@]} -eq 0 ]
