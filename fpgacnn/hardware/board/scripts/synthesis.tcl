# Logic synthesis, and its report of resources.
source scripts/common.tcl

open_built_project
finish_run synth_1 {}
file mkdir build/reports
open_run synth_1
report_utilization -file build/reports/vivado_synth.rpt
exit
