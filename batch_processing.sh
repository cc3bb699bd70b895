#!/usr/bin/env bash
# Run every command over a folder of subjects; without arguments, over three example subjects made on the spot.
set -euo pipefail
# Streams that are closed would end the script at the first word.
( exec 3>&2 ) || exec 2>/dev/null
( exec 3>&1 ) 2>/dev/null || exec >/dev/null
( exec 3<&0 ) 2>/dev/null || exec </dev/null

usage() {
  cat <<'TEXT'
usage: ./batch_processing.sh [DATA] [-o RESULTS] [-p PATTERN] [-f] [-- SEG_GM OPTIONS]
  DATA         folder of subjects (BIDS: sub-*/anat/*.nii.gz or .nii) [default: example subjects, made in RESULTS/data]
  -o RESULTS   folder of the results [default: results]
  -p PATTERN   name of the scans to segment [default: *T2s*.nii*]
  -f           process again what is already there (else a stopped batch goes on where it stopped; with other options for
               seg_gm, all of it is done again)
  --           everything after this goes to seg_gm: -- --tta -m gm
Of each scan: the cord's mask, its centerline (NIfTI and CSV), its gray and its white matter. Masks found in
DATA/derivatives/labels are compared with them: ..._label-GM_seg.nii.gz or ..._gmseg*.nii.gz, ..._label-SC_seg.nii.gz or
..._seg*.nii.gz.
TEXT
}

# This environment's packages count, whatever other Pythons the shell is set up for; CDPATH makes cd print.
unset PYTHONPATH PYTHONHOME CDPATH
export PYTHONNOUSERSITE=1

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data="" results=results pattern='*T2s*.nii*' force="" options=()
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

# Ctrl-C and the like stop the command that runs and everything after it; a shell's own loop about this script ends too.
stop() { # stop SIGNAL
  trap - INT TERM HUP
  local running
  running=$(jobs -p)
  # shellcheck disable=SC2086
  if [ -n "$running" ]; then
    kill -TERM $running 2>/dev/null || true
    wait $running 2>/dev/null || true
  fi
  echo "batch: stopped; the same command goes on from here" >&4
  kill -s "$1" $$
}
exec 4>&2
trap 'stop INT' INT
trap 'stop TERM' TERM
trap 'stop HUP' HUP

# Run a command, and give its exit code. While it waits, unlike while a command is in the foreground, bash heeds signals.
run() {
  "$@" 4>&- &
  wait $!
}

[ -z "$data" ] || [ -d "$data" ] || { echo "batch: no folder $data" >&2; exit 2; }
venv=${SPINESEG_VENV:-$here/.venv}
if ! [ -x "$venv/bin/seg_gm" ]; then "$here/install_sct_like.sh" --venv "$venv"; fi
PATH=$venv/bin:$PATH

mkdir -p "$results/log"
if [ -z "$data" ]; then
  data=$results/data
  if ! [ -d "$data" ]; then
    rm -rf "$data.partial"
    run python -I -m spineseg_cli.cli.make_example -v 0 "$data.partial"
    mv "$data.partial" "$data"
    echo "batch: made three example subjects in $data"
  fi
fi
while [ "${data%/}" != "$data" ] && [ "$data" != / ]; do data=${data%/}; done

reference_of() { # the expert's mask of a scan, if there is one: reference_of FOLDER STEM LABEL SUFFIX
  [ ! -d "$data/derivatives/labels/$1" ] ||
    find "$data/derivatives/labels/$1" \( -name "$2_label-$3_seg.nii*" -o -name "$2_$4*.nii*" \) \
      \( -name '*.nii.gz' -o -name '*.nii' \) | LC_ALL=C sort | sed -n 1p
}

# Run a command with its log, and give its exit code; 3, done but empty, is no failure.
logged() {
  local code=0
  run "$@" >>"$log" 2>&1 || code=$?
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
  run compute_metrics -i "${predictions[@]}" -r "${references[@]}" -o "$table" || code=$?
  if [ "$code" -ne 0 ] && [ "$code" -ne 3 ]; then # 3: nothing but empty masks
    echo "batch: no $table was written" >&2
    failed+=("$table")
  fi
}

scans() { # scans FIND-TESTS: those in anat folders, not the experts' masks, nor what a Mac leaves beside files
  find -H "$data" -path "$data/derivatives" -prune -o -path '*/anat/*' ! -name '.*' \( -name '*.nii.gz' -o -name '*.nii' \) \
    "$@" -print | LC_ALL=C sort
}

started="batch: seg_gm ${options[*]-}" finished="batch: done"
failed=() gray_pairs=() cord_pairs=() done_count=0
while IFS= read -r scan; do
  folder=$(dirname "${scan#"$data"/}")
  stem=$(basename "${scan%.gz}" .nii)
  if [ "${scan%.gz}" = "$scan" ] && [ -f "$scan.gz" ]; then
    echo "batch: $scan is there as .nii.gz too, which counts"
    continue
  fi
  out=$results/processed/$folder/$stem
  cord=${out}_seg.nii.gz gray=${out}_gmseg.nii.gz
  log=$results/log/$folder/$stem.log
  if [ -z "$force" ] && [ -f "$gray" ] && [ "$(sed -n '1p;$p' "$log" 2>/dev/null)" = "$started"$'\n'"$finished" ]; then
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
    echo "$finished" >>"$log"
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
