// One wide word as P words, the lowest first, one in a clock. At least P clocks lie between two wide words.
module fpgacnn_split #(parameter DW = 8, parameter P = 4) (
  input clk, input rst, input in_valid, input [P*DW-1:0] in_data, output out_valid, output [DW-1:0] out_data);
  reg [P*DW-1:0] words;
  reg [$clog2(P+1)-1:0] left;
  assign out_valid = (left != 0);
  assign out_data = words[DW-1:0];
  always @(posedge clk) begin
    words <= in_valid ? in_data : words >> DW;
    if (rst) left <= 0;
    else left <= in_valid ? P : (left == 0) ? 0 : left - 1'b1;
  end
  // synthesis translate_off
  always @(posedge clk)
    if (!rst && in_valid && left > 1) begin
      $display("error: %m gets a word before the last one is served");
      $fatal(1);
    end
  // synthesis translate_on
endmodule
