// An image with pixels of zeros around it, one pixel in a clock; its pixels come from a FIFO. A frame begins when its first
// pixel is there, also where zeros come before it.
module fpgacnn_pad #(
  parameter DW = 8, parameter H = 4, parameter W = 4, parameter PT = 1, parameter PB = 1, parameter PL = 1, parameter PR = 1
) (
  input clk, input rst, input in_valid, input [DW-1:0] in_data, output in_take,
  output reg out_valid, output reg [DW-1:0] out_data);
  localparam OH = H+PT+PB, OW = W+PL+PR;
  reg [$clog2(OH+1)-1:0] row;
  reg [$clog2(OW+1)-1:0] col;
  wire first = (row == 0) && (col == 0);
  wire covered = (row >= PT) && (row < PT+H) && (col >= PL) && (col < PL+W);
  wire step = in_valid || !(covered || first);
  assign in_take = covered && in_valid;
  always @(posedge clk) begin
    out_data <= covered ? in_data : {DW{1'b0}};
    if (rst) begin
      row <= 0; col <= 0; out_valid <= 0;
    end else begin
      out_valid <= step;
      if (step) begin
        col <= (col == OW-1) ? 0 : col + 1'b1;
        if (col == OW-1) row <= (row == OH-1) ? 0 : row + 1'b1;
      end
    end
  end
endmodule
