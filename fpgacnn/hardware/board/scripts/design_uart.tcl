# Design of a board without a processor: a serial line of the host sends frames to the network. Vivado 2021.1 to 2025.2.
source scripts/common.tcl

file delete -force $project_folder
create_project -force fpgacnn $project_folder -part $part
set_property ip_repo_paths [list [file normalize $ip_folder]] [current_project]
update_ip_catalog
create_ip -name $ip_top -vendor fpgacnn -library $ip_library -version 1.0 -module_name network
generate_target all [get_ips network]
add_files -norecurse [list hls/fpgacnn_uart.v]
add_files -fileset constrs_1 -norecurse [list board.xdc]
set_property generic [list CLOCK_HZ=${clock_hz} BAUD=${baud}] [current_fileset]
set_property top fpgacnn_uart_top [current_fileset]
update_compile_order -fileset sources_1
exit
