// Serves the C elements of a word in R parts of G, part by part, and the address of their weights.
// A frame is P words of P*R addresses in all; at least R clocks lie between two words.
module fpgacnn_sequence #(
  parameter P = 4, parameter C = 16, parameter EW = 6, parameter R = 2, parameter G = 8, parameter AB = 3
) (
  input clk, input rst, input in_valid, input [C*EW-1:0] in_data,
  output out_valid, output out_first, output out_last, output [AB-1:0] address, output [G*EW-1:0] out_data);
  reg [R*G*EW-1:0] word;
  reg [$clog2(R+1)-1:0] left;
  reg [AB-1:0] place;
  assign out_valid = (left != 0);
  assign out_first = (place == 0);
  assign out_last = (place == P*R-1);
  assign address = place;
  assign out_data = word[G*EW-1:0];
  always @(posedge clk) begin
    word <= in_valid ? {{((R*G-C)*EW+1){1'b0}}, in_data} : word >> (G*EW);
    if (rst) begin
      left <= 0; place <= 0;
    end else begin
      left <= in_valid ? R : (left == 0) ? 0 : left - 1'b1;
      if (out_valid) place <= out_last ? 0 : place + 1'b1;
    end
  end
  // synthesis translate_off
  always @(posedge clk)
    if (!rst && in_valid && left > 1) begin
      $display("error: %m gets a word before the last one is served");
      $fatal(1);
    end
  // synthesis translate_on
endmodule
