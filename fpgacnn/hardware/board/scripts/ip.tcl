# Vitis HLS 2021.1 to 2025.2: the C++ of network and wrapper becomes an IP for Vivado, in $ip_folder.
# Run by build.sh in the board's folder.
source settings.tcl

file mkdir build
open_project -reset build/fpgacnn_prj
set_top $ip_top
set here [pwd]
set firmware [file normalize $here/../../firmware]
if {[regexp {\s} $here$firmware]} {
    puts "ERROR: fpgacnn: Vitis HLS cannot be given folders with spaces in their names: $here"
    exit 1
}
set flags "-std=c++14 -I$here/hls -I$firmware"
add_files hls/fpgacnn_wrapper.cpp -cflags $flags
add_files ../../firmware/myproject.cpp -cflags $flags
open_solution -reset -flow_target vivado solution1
set_part $part
create_clock -period $clock_ns -name default
config_compile -name_max_length 80
csynth_design
export_design -format ip_catalog -vendor fpgacnn -library $ip_library -ipname $ip_top -version 1.0
exit
