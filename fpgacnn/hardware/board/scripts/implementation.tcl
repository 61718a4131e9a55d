# Placement and routing, and the reports of resources and timing. Stops if the design does not meet its clock.
source scripts/common.tcl

open_built_project
finish_run impl_1 {}
file mkdir build/reports
open_run impl_1
report_utilization -file build/reports/fpgacnn_utilization_routed.rpt
report_timing_summary -file build/reports/fpgacnn_timing_summary_routed.rpt
foreach kind_of_delay {max min} {
    set paths [get_timing_paths -delay_type $kind_of_delay]
    if {[llength $paths] > 0 && [get_property SLACK [lindex $paths 0]] < 0} {
        if {$kind eq "uart"} {
            set cure "the clock of this board is fixed: convert with fewer bits or a larger reuse factor"
        } else {
            set cure "lower clock_mhz, clock_hz and clock_ns in settings.tcl, then run ./build.sh, or convert with fewer bits"
        }
        stop "timing is not met ([get_property SLACK [lindex $paths 0]] ns): $cure"
    }
}
exit
