# Block design of a board with a processor: the DMA sends events to the network and takes the answers, the processor's port
# to memory serves the DMA, and the end of an answer is an interrupt. Where the FPGA has user LEDs, the processor writes them
# through a GPIO. Vivado 2021.1 to 2025.2.
source scripts/common.tcl

file delete -force $project_folder
create_project -force fpgacnn $project_folder -part $part
set files_of_board [get_board_parts -quiet -latest_file_version "${board_part}:*"]
set preset 0
if {[llength $files_of_board] > 0} {
    set_property board_part [lindex $files_of_board 0] [current_project]
    set preset 1
} else {
    puts "WARNING: fpgacnn: no board file '$board_part' is installed. The processor keeps Vivado's default settings for its"
    puts "WARNING: fpgacnn: memory and pins: enough for PYNQ and Linux, which are running already, not for bare metal."
}
set_property ip_repo_paths [list [file normalize $ip_folder]] [current_project]
update_ip_catalog
create_bd_design $design

if {$kind eq "zynq7000"} {
    create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
        -config [list make_external "FIXED_IO, DDR" apply_board_preset $preset Master "Disable" Slave "Disable"] \
        [get_bd_cells ps]
    set_property -dict [list \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_S_AXI_HP0 1 \
        CONFIG.PCW_S_AXI_HP0_DATA_WIDTH $memory_bits \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1 \
    ] [get_bd_cells ps]
    set clock ps/FCLK_CLK0
    set reset_n ps/FCLK_RESET0_N
    set control_port ps/M_AXI_GP0
    set control_clock ps/M_AXI_GP0_ACLK
    set memory_port ps/S_AXI_HP0
    set memory_clock ps/S_AXI_HP0_ACLK
    set interrupt ps/IRQ_F2P
} else {
    create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config [list apply_board_preset $preset] [get_bd_cells ps]
    set_property -dict [list \
        CONFIG.PSU__USE__M_AXI_GP0 1 \
        CONFIG.PSU__USE__M_AXI_GP1 0 \
        CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__USE__S_AXI_GP2 1 \
        CONFIG.PSU__SAXIGP2__DATA_WIDTH $memory_bits \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz \
        CONFIG.PSU__USE__IRQ0 1 \
    ] [get_bd_cells ps]
    set clock ps/pl_clk0
    set reset_n ps/pl_resetn0
    set control_port ps/M_AXI_HPM0_FPD
    set control_clock ps/maxihpm0_fpd_aclk
    set memory_port ps/S_AXI_HP0_FPD
    set memory_clock ps/saxihp0_fpd_aclk
    set interrupt ps/pl_ps_irq0
}

create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma
set_property -dict [list \
    CONFIG.c_include_sg 0 \
    CONFIG.c_sg_include_stscntrl_strm 0 \
    CONFIG.c_sg_length_width $length_bits \
    CONFIG.c_include_mm2s 1 \
    CONFIG.c_include_s2mm 1 \
    CONFIG.c_m_axi_mm2s_data_width $word_bits \
    CONFIG.c_m_axis_mm2s_tdata_width $word_bits \
    CONFIG.c_m_axi_s2mm_data_width $word_bits \
    CONFIG.c_s_axis_s2mm_tdata_width $word_bits \
    CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_s2mm_burst_size 16 \
] [get_bd_cells dma]
create_bd_cell -type ip -vlnv fpgacnn:$ip_library:$ip_top:1.0 network
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI [expr {$led_count > 0 ? 2 : 1}]] [get_bd_cells control]
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory
set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 1] [get_bd_cells memory]
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset

foreach pin [list $control_clock $memory_clock reset/slowest_sync_clk dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk \
                 dma/m_axi_s2mm_aclk network/ap_clk control/aclk memory/aclk] {
    connect_bd_net [get_bd_pins $clock] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins $reset_n] [get_bd_pins reset/ext_reset_in]
foreach pin [list dma/axi_resetn network/ap_rst_n control/aresetn memory/aresetn] {
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}
connect_bd_intf_net [get_bd_intf_pins $control_port] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins dma/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma/M_AXI_MM2S] [get_bd_intf_pins memory/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins dma/M_AXI_S2MM] [get_bd_intf_pins memory/S01_AXI]
connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins $memory_port]
connect_bd_intf_net [get_bd_intf_pins dma/M_AXIS_MM2S] [get_bd_intf_pins network/in_stream]
connect_bd_intf_net [get_bd_intf_pins network/out_stream] [get_bd_intf_pins dma/S_AXIS_S2MM]
connect_bd_net [get_bd_pins dma/s2mm_introut] [get_bd_pins $interrupt]

if {$led_count > 0} {
    create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio led_gpio
    set_property -dict [list CONFIG.C_GPIO_WIDTH $led_count CONFIG.C_ALL_OUTPUTS 1] [get_bd_cells led_gpio]
    create_bd_port -dir O -from [expr {$led_count - 1}] -to 0 leds
    connect_bd_net [get_bd_pins $clock] [get_bd_pins led_gpio/s_axi_aclk]
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins led_gpio/s_axi_aresetn]
    connect_bd_intf_net [get_bd_intf_pins control/M01_AXI] [get_bd_intf_pins led_gpio/S_AXI]
    connect_bd_net [get_bd_pins led_gpio/gpio_io_o] [get_bd_ports leds]
    assign_bd_address -offset $led_address -range 64K [get_bd_addr_segs led_gpio/S_AXI/Reg]
    add_files -fileset constrs_1 -norecurse [list board.xdc]
}
assign_bd_address -offset $dma_address -range 64K [get_bd_addr_segs dma/S_AXI_LITE/Reg]
assign_bd_address
validate_bd_design
save_bd_design
make_wrapper -files [get_files $design.bd] -top -import
set_property top ${design}_wrapper [current_fileset]
update_compile_order -fileset sources_1
generate_target all [get_files $design.bd]
exit
