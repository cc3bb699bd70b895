#!/usr/bin/env bash
# Make a virtual environment, install spineseg into it, check the installation, and say what to type next.
set -euo pipefail
# Streams that are closed would end the script at the first word.
( exec 3>&2 ) || exec 2>/dev/null
( exec 3>&1 ) 2>/dev/null || exec >/dev/null
( exec 3<&0 ) 2>/dev/null || exec </dev/null

usage() {
  cat <<'TEXT'
usage: ./install_sct_like.sh [--light] [--cohort] [--cluster] [--gpu] [--test] [--venv FOLDER]
  --light        only what the commands need on a CPU (270 MB instead of 2.6 GB): no TensorFlow, so no training
  --cohort       also install what reads DICOM (dcm2niix), and the report's 3-D view (NiiVue)
  --cluster      also install dask, which hands a cohort to SLURM, SGE, PBS or a scheduler of its own
  --gpu          also install the CUDA libraries for NVIDIA GPUs (Linux)
  --test         also install what the tests need
  --venv FOLDER  the environment's folder [default: .venv beside this script, or $SPINESEG_VENV]
Another Python: PYTHON=python3.12 ./install_sct_like.sh
TEXT
}

wrong() { # wrong SENTENCE
  echo "install: $1; see $0 -h" >&2
  exit 2
}

# The environment is made of what is installed here, whatever other Pythons the shell is set up for.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER CDPATH
export PYTHONNOUSERSITE=1

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${SPINESEG_VENV:-$here/.venv}
extras=(all)
options=()
libraries="its libraries (TensorFlow is the large one; a few minutes)"
while [ $# -gt 0 ]; do
  case $1 in
    --light) extras=(); options=(--no-compile); libraries="what its commands need on a CPU (a minute)" ;;
    --cohort) extras+=(cohort) ;;
    --cluster) extras+=(cluster) ;;
    --gpu) extras+=(gpu) ;;
    --test) extras+=(test cohort cluster) ;;
    --venv) [ $# -ge 2 ] || wrong "--venv needs a folder"; venv=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) wrong "there is no option $1" ;;
  esac
  shift
done

supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 python}; do
    if supported "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "install: needs Python 3.10 to 3.13; found $(python3 --version 2>&1 || echo none). Install one, or name it: PYTHON=/path/to/python3.12 $0" >&2
  return 1
}

if ! [ -x "$venv/bin/python" ] || ! supported "$venv/bin/python"; then
  python=$(find_python)
  echo "install: making an environment in $venv with $("$python" --version)"
  "$python" -I -m venv --clear "$venv" || {
    echo "install: could not make an environment; on Debian or Ubuntu: apt-get install python3-venv" >&2
    exit 1
  }
fi

wanted=$here
if [ ${#extras[@]} -gt 0 ]; then wanted="$here[$(IFS=,; echo "${extras[*]}")]"; fi
echo "install: installing spineseg and $libraries"
"$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check ${options[@]+"${options[@]}"} --editable "$wanted" || {
  echo "install: could not install the libraries; pip says above why: is there a network, and 3 GB of free space (--light: 400 MB)?" >&2
  exit 1
}

# Nothing needs setuptools (10 MB), or the tests that libraries bring with them (30 MB).
if [ ${#options[@]} -gt 0 ]; then
  "$venv/bin/python" -I -m pip uninstall --quiet --yes setuptools
  find "$venv"/lib/python3*/site-packages -type d -name tests -prune -exec rm -rf {} +
fi

# With -I, Python heeds none of its variables: another Python's PYTHONHOME would stop it before it reads a line.
isolate() { # isolate SCRIPT; its second form is that of folders that are long, or have a space in their name
  local script
  script=$(sed -e '1s|^#!\(/.*/python[0-9.]*\)$|#!\1 -I|' -e "2s|^\('''exec' .*/python[0-9.]*\"\{0,1\}\) \"\$0\"|\1 -I \"\$0\"|" "$1")
  printf '%s\n' "$script" >"$1"
}

for command in seg_gm seg_cord get_centerline finetune compute_metrics measure_cord spineseg; do
  isolate "$venv/bin/$command"
  "$venv/bin/$command" -h >/dev/null || { echo "install: $command does not start; see above" >&2; exit 1; }
done

cat <<TEXT
install: done, $("$venv/bin/seg_gm" --version). Next:
  source $(printf %q "$venv/bin/activate")
  seg_gm -i scan.nii.gz
TEXT
