#!/usr/bin/env bash
# Segment and measure a folder of subjects with `spineseg`; without arguments, three example subjects made on the spot.
set -euo pipefail
# Streams that are closed would end the script at the first word.
( exec 3>&2 ) || exec 2>/dev/null
( exec 3>&1 ) 2>/dev/null || exec >/dev/null
( exec 3<&0 ) 2>/dev/null || exec </dev/null

usage() {
  cat <<'TEXT'
usage: ./batch_processing.sh [DATA [RESULTS]] [-o RESULTS] [-p PATTERN] [-j JOBS] [-f] [--OPTION VALUE ...] [-- SEG_GM OPTIONS]
  DATA         folder of subjects (BIDS: sub-*/anat/*.nii.gz or .nii) [default: example subjects, made in RESULTS/data]
  -o RESULTS   folder of the results [default: results]
  -p PATTERN   names of the scans, such as '*T2s*.nii*' [default: every anatomical contrast]
  -j JOBS      sessions at the same time [default: 1]
  -f           process again what is finished already (else a stopped batch goes on where it stopped)
  --OPTION     others of spineseg, such as --participant-label 01 or --config settings.yaml: see spineseg -h
  --           what follows is for gray matter, as for seg_gm: -- --tta -m gm -thr 0.4 --custom mine.weights.h5
In RESULTS/processed: the masks of cord, gray and white matter, the centerline and the measures of each scan, tables of the
whole group, and qc/index.html, a page to look at all of them. Masks in DATA/derivatives/labels are compared with them.
TEXT
}

# This environment's packages count, whatever other Pythons the shell is set up for; CDPATH makes cd print.
unset PYTHONPATH PYTHONHOME CDPATH
export PYTHONNOUSERSITE=1

wrong() { # wrong SENTENCE
  echo "batch: $1; see $0 -h" >&2
  exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data="" results="" participant=() both=() settings=(labels=compare)
while [ $# -gt 0 ]; do
  case $1 in
    -o) [ $# -gt 1 ] || wrong "-o needs a folder"; results=$2; shift ;;
    -p) [ $# -gt 1 ] || wrong "-p needs a pattern"; both+=(--pattern "$2"); shift ;;
    -j) [ $# -gt 1 ] || wrong "-j needs a number"; participant+=(--jobs "$2"); shift ;;
    -f) participant+=(--force) ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    --force | --only-failed | --dry-run) participant+=("$1") ;;
    --jobs | --scheduler | --cluster | --dicom) [ $# -gt 1 ] || wrong "$1 needs a value"; participant+=("$1" "$2"); shift ;;
    --*)
      both+=("$1")
      while [ $# -gt 1 ] && [ "${2#-}" = "$2" ]; do both+=("$2"); shift; done ;;
    -*) wrong "there is no option $1" ;;
    *) if [ -z "$data" ]; then data=$1; elif [ -z "$results" ]; then results=$1; else wrong "$1 is beyond DATA and RESULTS"; fi ;;
  esac
  shift
done
while [ $# -gt 0 ]; do
  case $1 in
    -m | --model | -custom | --custom | -thr | --thr | -device | --device) [ $# -gt 1 ] || wrong "$1 needs a value" ;;
  esac
  case $1 in
    -tta | --tta) settings+=(gm.tta=true) ;;
    -m | --model | -custom | --custom) settings+=("gm.model=$2"); shift ;;
    -thr | --thr) settings+=("gm.threshold=$2"); shift ;;
    -device | --device) settings+=("device=$2"); shift ;;
    *) wrong "$1 is no option of seg_gm that a batch takes" ;;
  esac
  shift
done
results=${results:-results}

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

case " ${participant[*]-} " in *" --dicom "*) ;; *) [ -z "$data" ] || [ -d "$data" ] || { echo "batch: no folder $data" >&2; exit 2; } ;; esac
venv=${SPINESEG_VENV:-$here/.venv}
if ! [ -x "$venv/bin/spineseg" ]; then "$here/install_sct_like.sh" --venv "$venv"; fi
PATH=$venv/bin:$PATH

if [ -z "$data" ]; then
  data=$results/data
  if ! [ -d "$data" ]; then
    rm -rf "$data.partial"
    run python -I -m spineseg_cli.cli.make_example -v 0 "$data.partial"
    mv "$data.partial" "$data"
    echo "batch: made three example subjects in $data"
  fi
fi

out=$results/processed
both+=(--set "${settings[@]}")
code=0
run spineseg "$data" "$out" participant ${participant[@]+"${participant[@]}"} "${both[@]}" || code=$?
case " ${participant[*]-} " in *" --dry-run "*) exit "$code" ;; esac
[ "$code" -le 1 ] || exit "$code"
# Of a batch in which some scans failed, the others have their tables.
run spineseg "$data" "$out" group "${both[@]}" || code=$?
echo "batch: masks and tables in $out; open $out/qc/index.html to look at them"
exit "$code"
