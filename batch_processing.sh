#!/usr/bin/env bash
# Run every command over a folder of subjects; without arguments, over three example subjects made on the spot.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./batch_processing.sh [DATA] [-o RESULTS] [-p PATTERN] [-f] [-- SEG_GM OPTIONS]
  DATA         folder of subjects (BIDS: sub-*/anat/*.nii.gz) [default: example subjects, made in RESULTS/data]
  -o RESULTS   folder of the results [default: results]
  -p PATTERN   name of the scans to segment [default: *T2s*.nii.gz]
  -f           process again what is already there (else a stopped batch goes on where it stopped)
  --           everything after this goes to seg_gm: -- --tta -m gm
A gray-matter mask found in DATA/derivatives/labels (..._label-GM_seg.nii.gz or ..._gmseg*.nii.gz) is compared with the result.
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

venv=${SPINESEG_VENV:-$here/.venv}
if ! [ -x "$venv/bin/seg_gm" ]; then "$here/install_sct_like.sh" --venv "$venv"; fi
PATH=$venv/bin:$PATH

mkdir -p "$results/log"
if [ -z "$data" ]; then
  data=$results/data
  [ -d "$data" ] || python -m spineseg_cli.cli.make_example "$data"
fi
[ -d "$data" ] || { echo "batch: no folder $data" >&2; exit 2; }

reference_of() { # the expert's gray matter of a scan, if there is one
  local folder=$1 stem=$2
  find "$data/derivatives/labels/$folder" -name "${stem}_label-GM_seg.nii.gz" -o -name "${stem}_gmseg*.nii.gz" 2>/dev/null | sort | head -n 1
}

failed=() predictions=() references=() done_count=0
while IFS= read -r scan; do
  folder=$(dirname "${scan#"$data"/}")
  stem=$(basename "$scan" .nii.gz)
  mask=$results/processed/$folder/${stem}_gmseg.nii.gz
  log=$results/log/$stem.log
  if [ -n "$force" ] || ! [ -f "$mask" ]; then
    mkdir -p "$(dirname "$mask")"
    echo "batch: $stem"
    code=0
    seg_gm -i "$scan" -o "$mask" --wm "${mask/_gmseg/_wmseg}" ${options[@]+"${options[@]}"} >"$log" 2>&1 || code=$?
    if [ "$code" -ne 0 ] && [ "$code" -ne 3 ]; then # 3: done, but the mask is empty
      echo "batch: $stem failed: $(tail -n 1 "$log")" >&2
      failed+=("$stem")
      continue
    fi
    [ "$code" -eq 3 ] && echo "batch: $stem: no gray matter found" >&2
  fi
  done_count=$((done_count + 1))
  reference=$(reference_of "$folder" "$stem")
  if [ -n "$reference" ]; then
    predictions+=("$mask")
    references+=("$reference")
  fi
done < <(find "$data" -path "$data/derivatives" -prune -o -path '*/anat/*' -name "$pattern" -print | sort)

if [ ${#predictions[@]} -gt 0 ]; then
  compute_metrics -i "${predictions[@]}" -r "${references[@]}" -o "$results/metrics.csv"
fi
echo "batch: $done_count scans done, ${#failed[@]} failed; masks in $results/processed, logs in $results/log"
if [ "$done_count" -eq 0 ] && [ ${#failed[@]} -eq 0 ]; then
  echo "batch: found no scan named $pattern in an anat folder under $data; name others with -p" >&2
  exit 2
fi
[ ${#failed[@]} -eq 0 ]
