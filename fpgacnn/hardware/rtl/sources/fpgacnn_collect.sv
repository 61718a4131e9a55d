// P words of a frame as one wide word, the first one lowest.
module fpgacnn_collect #(parameter DW = 24, parameter P = 9) (
  input clk, input rst, input in_valid, input [DW-1:0] in_data, output reg out_valid, output [P*DW-1:0] out_data);
  reg [P*DW-1:0] words;
  reg [$clog2(P+1)-1:0] count;
  assign out_data = words;
  always @(posedge clk) begin
    if (in_valid) words <= (P == 1) ? in_data : {in_data, words[P*DW-1:((P == 1) ? 0 : DW)]};
    if (rst) begin
      count <= 0; out_valid <= 0;
    end else begin
      out_valid <= in_valid && (count == P-1);
      if (in_valid) count <= (count == P-1) ? 0 : count + 1'b1;
    end
  end
endmodule
