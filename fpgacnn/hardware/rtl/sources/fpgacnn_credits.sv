// Back-pressure without a stall inside: a frame may begin only if the FIFO of answers has room for its answer.
// F frames may be on their way or in this FIFO.
module fpgacnn_credits #(parameter F = 4) (input clk, input rst, input begun, input ended, output open);
  reg [$clog2(F+1)-1:0] frames;
  assign open = !rst && (frames < F);
  always @(posedge clk)
    if (rst) frames <= 0;
    else if (begun && !ended) frames <= frames + 1'b1;
    else if (!begun && ended) frames <= frames - 1'b1;
endmodule
