#!/usr/bin/env bash
# The demo: set up .venv, make clips of moving textures, train and test an RGB and a RepFlow network on them.
#   [SEED=0] tools/demo.sh      Safe to interrupt and to repeat: it goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

seed=${SEED:-0}
tools/setup_env.sh
export MPLBACKEND=Agg MOTION_CLIPS=data/motion_clips/seed$seed
work_dir=work_dirs/demo/seed$seed
python=.venv/bin/python

$python tools/data/make_motion_clips.py "$MOTION_CLIPS" --train 800 --val 200 --size 64 --length 12 --seed "$seed"

# Show the progress lines of a command; all of its output goes to a log, whose end is shown if the command fails.
watch() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    local code=0
    # Ctrl-C is the command's alone, which then saves its state.
    "$@" 2>&1 | tee -i "$log" | { trap '' INT; grep --line-buffered -oE 'Epoch\(.*' || true; } || code=$?
    case $code in
        0) ;;
        130 | 138 | 143) echo "stopped; the same command goes on from here" >&2 && exit $code ;;
        *)
            tail -n 20 "$log" >&2
            echo "error: '$*' failed; its output is in $log" >&2
            exit 1
            ;;
    esac
}

models=()
for name in rgb repflow; do
    config=configs/demo/${name}_r18_motion_clips.py
    echo "== $name: training ($work_dir/$name)"
    watch "$work_dir/$name/train.log" \
        $python tools/train.py "$config" --work-dir "$work_dir/$name" --seed "$seed" --resume auto
    echo "== $name: testing"
    watch "$work_dir/$name/test.log" \
        $python tools/test.py "$config" "$work_dir/$name" --work-dir "$work_dir/$name/test"
    models+=("$name=$config")
done

echo
$python tools/demo_report.py "$work_dir" "${models[@]}" --seed "$seed" --out work_dirs/demo
picture=(tools/demo_picture.py configs/demo/repflow_r18_motion_clips.py "$work_dir/repflow")
if ! $python "${picture[@]}" --out work_dirs/demo/flow.png > "$work_dir/picture.log" 2>&1; then
    tail -n 20 "$work_dir/picture.log" >&2
    exit 1
fi
tail -n 1 "$work_dir/picture.log"
