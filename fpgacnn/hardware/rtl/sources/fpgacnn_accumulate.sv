// Sums of N numbers over the parts of a frame; `out_valid` comes with the sum that includes the last part.
module fpgacnn_accumulate #(parameter N = 10, parameter IW = 12, parameter AW = 16) (
  input clk, input rst, input in_valid, input in_first, input in_last, input [N*IW-1:0] in_data,
  output reg out_valid, output reg [N*AW-1:0] out_data);
  genvar n;
  generate
    for (n = 0; n < N; n = n + 1) begin : sums
      wire signed [IW-1:0] part = in_data[n*IW +: IW];
      wire signed [AW-1:0] prior = in_first ? {AW{1'b0}} : out_data[n*AW +: AW];
      wire signed [AW-1:0] after = prior + part;
      always @(posedge clk) if (in_valid) out_data[n*AW +: AW] <= after;
    end
  endgenerate
  always @(posedge clk) out_valid <= !rst && in_valid && in_last;
endmodule
