// Drops the borders of an image.
module fpgacnn_crop #(
  parameter DW = 8, parameter H = 8, parameter W = 8, parameter TOP = 1, parameter LEFT = 1, parameter OH = 6, parameter OW = 6
) (input clk, input rst, input in_valid, input [DW-1:0] in_data, output reg out_valid, output reg [DW-1:0] out_data);
  reg [$clog2(H+1)-1:0] row;
  reg [$clog2(W+1)-1:0] col;
  wire covered = (row >= TOP) && (row < TOP + OH) && (col >= LEFT) && (col < LEFT + OW);
  always @(posedge clk) begin
    out_data <= in_data;
    if (rst) begin
      row <= 0; col <= 0; out_valid <= 0;
    end else begin
      out_valid <= in_valid && covered;
      if (in_valid) begin
        col <= (col == W-1) ? 0 : col + 1'b1;
        if (col == W-1) row <= (row == H-1) ? 0 : row + 1'b1;
      end
    end
  end
endmodule
