// Sum or maximum of N numbers over a frame; `out_valid` comes with the result that includes the last token.
module fpgacnn_reduce #(
  parameter N = 4, parameter IW = 8, parameter AW = 16, parameter SIGNED = 1, parameter MAXIMUM = 0
) (
  input clk, input rst, input in_valid, input in_first, input in_last, input [N*IW-1:0] in_data,
  output reg out_valid, output reg [N*AW-1:0] out_data);
  genvar n;
  generate
    for (n = 0; n < N; n = n + 1) begin : numbers
      wire [IW-1:0] bits = in_data[n*IW +: IW];
      wire signed [IW:0] number = {(SIGNED != 0) ? bits[IW-1] : 1'b0, bits};
      wire signed [AW-1:0] prior = out_data[n*AW +: AW];
      wire signed [AW-1:0] larger = (number > prior) ? number : prior;
      wire signed [AW-1:0] total = prior + number;
      wire signed [AW-1:0] after = in_first ? number : (MAXIMUM != 0) ? larger : total;
      always @(posedge clk) if (in_valid) out_data[n*AW +: AW] <= after;
    end
  endgenerate
  always @(posedge clk) out_valid <= !rst && in_valid && in_last;
endmodule
