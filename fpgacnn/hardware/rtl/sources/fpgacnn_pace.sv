// Takes words from a FIFO, with at least PACE clocks between two of them.
module fpgacnn_pace #(parameter PACE = 2) (input clk, input rst, input in_valid, output take);
  reg [$clog2(PACE+1)-1:0] wait_clocks;
  assign take = in_valid && (wait_clocks == 0);
  always @(posedge clk)
    if (rst) wait_clocks <= 0;
    else wait_clocks <= take ? PACE-1 : (wait_clocks == 0) ? 0 : wait_clocks - 1'b1;
endmodule
