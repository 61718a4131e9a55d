# Vivado 2021.1 to 2025.2: the RTL of network and wrapper becomes an IP, in $ip_folder. Run by build.sh in the board's folder.
source scripts/common.tcl

set rtl ../../rtl
set sources [glob $rtl/*.sv $rtl/kernels/*.sv $rtl/library/*.sv rtl/*.v]
file delete -force build/packaging $ip_folder
create_project -force packaging build/packaging -part $part
add_files -norecurse [lsort $sources]
set_property top $ip_top [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir $ip_folder -vendor fpgacnn -library $ip_library -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name $ip_top $core
set_property version 1.0 $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
exit
