#!/bin/sh
# Builds the bitstream of this board: ./build.sh [STEP ...], all steps by default. A step that is done is not done again;
# ./build.sh --again STEP does it and those that follow again. Logs: build/logs.
# Needs Vitis HLS and Vivado, 2021.1 to 2025.2, on PATH (source settings64.sh); RTL needs Vivado only. Cards need v++ and a
# platform (PLATFORM).
set -eu
cd "$(dirname "$0")"
. ./steps.sh
# A step is done if it was done for this network with these scripts and settings, and this platform.
stamp="$identity $(cat steps.sh settings.tcl connectivity.cfg board.xdc hls/* rtl/* scripts/* 2> /dev/null | cksum) ${PLATFORM:-}"
mkdir -p build/logs build/done

again=
if [ "${1:-}" = --again ]; then
    again=${2:?--again needs a step: $steps}
    shift 2
fi
chosen=${*:-$steps}
for step in $chosen $again; do
    case " $steps " in
    *" $step "*) ;;
    *)
        echo "build.sh: there is no step '$step'; steps: $steps" >&2
        exit 2
        ;;
    esac
done

case " $chosen " in
*" ${again:-${chosen%% *}} "*) ;;
*)
    echo "build.sh: --again $again is not among the chosen steps: $chosen" >&2
    exit 2
    ;;
esac

need() {
    command -v "$1" > /dev/null 2>&1 || {
        echo "build.sh: $1 is not on PATH: source the settings64.sh of Vitis and Vivado, 2021.1 to 2025.2" >&2
        exit 3
    }
}

version_of() {
    # The release of a tool, as 2023.2; stops for one that these scripts are not written for.
    version=$("$@" 2> /dev/null | sed -n 's/.*v\{0,1\}\(20[0-9][0-9]\.[0-9]\).*/\1/p' | head -n 1)
    case "$version" in
    2021.[12] | 2022.[12] | 2023.[12] | 2024.[12] | 2025.[12]) ;;
    *)
        echo "build.sh: $1 is of release '${version:-unknown}'; these scripts are for 2021.1 to 2025.2" >&2
        exit 3
        ;;
    esac
    echo "$1 $version" > "build/done/tool-$1"
}

logged() {
    # Run a command with its output in build/logs/STEP.log and on the terminal; its exit status counts.
    log=build/logs/$1.log
    shift
    { "$@" 2>&1 && echo 0 > build/done/status || echo $? > build/done/status; } | tee "$log"
    read -r status < build/done/status
    rm -f build/done/status
    if [ "$status" != 0 ]; then
        echo "build.sh: step $step ended with status $status; its log: $log" >&2
        exit 3
    fi
}

hls() {
    if command -v vitis-run > /dev/null 2>&1; then # since 2023.2
        version_of vitis-run --version
        logged ip vitis-run --mode hls --tcl scripts/ip.tcl
    else
        need vitis_hls
        version_of vitis_hls -version
        logged ip vitis_hls -f scripts/ip.tcl
    fi
}

vivado_step() {
    need vivado
    version_of vivado -version
    logged "$1" vivado -mode batch -nojournal -log "build/logs/vivado_$1.log" -source "scripts/$2.tcl"
}

run_step() {
    case $1 in
    ip)
        if [ "$ip_script" = ip ]; then
            hls
        else
            vivado_step ip "$ip_script"
        fi
        ;;
    design) vivado_step design "$design_script" ;;
    synthesis | implementation | bitstream) vivado_step "$1" "$1" ;;
    kernel)
        need v++
        version_of v++ --version
        mkdir -p build/kernel
        logged kernel v++ -c -t hw --platform "${PLATFORM:-$platform}" -k fpgacnn_memory --hls.clock "$clock_hz:fpgacnn_memory" \
            -Ihls -I../../firmware --temp_dir build/kernel --report_dir build/reports \
            -o build/fpgacnn_memory.xo hls/fpgacnn_wrapper.cpp ../../firmware/myproject.cpp
        ;;
    link)
        need v++
        version_of v++ --version
        mkdir -p build/output
        logged link v++ -l -t hw --platform "${PLATFORM:-$platform}" --config connectivity.cfg --temp_dir build/link \
            --report_dir build/reports -o build/output/fpgacnn.xclbin build/fpgacnn_memory.xo
        ;;
    esac
}

redo= missing=
for step in $steps; do
    case " $chosen " in
    *" $step "*) ;;
    *)
        [ -z "$redo" ] || rm -f "build/done/$step" # it was made of older results
        [ "$(cat "build/done/$step" 2> /dev/null)" = "$stamp" ] || missing=${missing:-$step}
        continue
        ;;
    esac
    [ "$step" = "$again" ] && redo=1
    if [ -z "$redo" ] && [ "$(cat "build/done/$step" 2> /dev/null)" = "$stamp" ]; then
        echo "$step: done already (build.sh --again $step does it again)"
        continue
    fi
    if [ -n "$missing" ]; then
        echo "build.sh: $step needs the results of step $missing, which is not done for this design: run ./build.sh" >&2
        exit 3
    fi
    redo=1 # what follows reads the results of this step
    rm -f "build/done/$step"
    echo "$step: begun at $(date '+%H:%M:%S')"
    run_step "$step"
    printf '%s\n' "$stamp" > "build/done/$step"
    echo "$step: done"
done
[ ! -e build/output ] || ls -l build/output
