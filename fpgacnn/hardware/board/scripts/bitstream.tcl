# The bitstream, and for a board with a processor the description of the hardware for PYNQ (.hwh) and Vitis (.xsa).
source scripts/common.tcl

open_built_project
finish_run impl_1 {-to_step write_bitstream}
file mkdir build/output
set bits [glob -nocomplain $project_folder/fpgacnn.runs/impl_1/*.bit]
if {[llength $bits] != 1} {
    stop "there is no bitstream in $project_folder/fpgacnn.runs/impl_1"
}
file copy -force [lindex $bits 0] build/output/fpgacnn.bit
if {$kind ne "uart"} {
    set descriptions [glob -nocomplain $project_folder/fpgacnn.gen/sources_1/bd/$design/hw_handoff/$design.hwh]
    if {[llength $descriptions] != 1} {
        stop "there is no $design.hwh below $project_folder/fpgacnn.gen"
    }
    file copy -force [lindex $descriptions 0] build/output/fpgacnn.hwh
    write_hw_platform -fixed -include_bit -force -file build/output/fpgacnn.xsa
}
exit
