# Procedures that the steps of Vivado share.
source settings.tcl
set project_folder build/vivado
set design fpgacnn_design

proc stop {text} {
    puts "ERROR: fpgacnn: $text"
    exit 1
}

proc open_built_project {} {
    global project_folder
    open_project $project_folder/fpgacnn.xpr
}

# Start a run, or continue one; stop if it does not end well.
proc finish_run {name arguments} {
    if {[get_property PROGRESS [get_runs $name]] ne "0%" && [get_property PROGRESS [get_runs $name]] ne "100%"} {
        reset_run $name
    }
    eval launch_runs $name $arguments -jobs 4
    wait_on_run $name
    if {[get_property PROGRESS [get_runs $name]] ne "100%"} {
        stop "the run $name ended with: [get_property STATUS [get_runs $name]]"
    }
}
