// Counts the P words of a frame: which is the first, which the last.
module fpgacnn_frame #(parameter P = 64) (input clk, input rst, input in_valid, output first, output last);
  reg [$clog2(P+1)-1:0] count;
  assign first = (count == 0);
  assign last = (count == P-1);
  always @(posedge clk)
    if (rst) count <= 0;
    else if (in_valid) count <= last ? 0 : count + 1'b1;
endmodule
