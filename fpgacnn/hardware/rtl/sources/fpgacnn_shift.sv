// N words that move by one place where `step` is high: one row of an image between two rows of a window.
module fpgacnn_shift #(parameter DW = 8, parameter N = 8) (input clk, input step, input [DW-1:0] in_data, output [DW-1:0] out_data);
  generate
    if (N == 0) begin : wires
      assign out_data = in_data;
    end else begin : stages
      reg [DW-1:0] data [0:N-1];
      integer k;
      always @(posedge clk)
        if (step) begin
          for (k = 1; k < N; k = k + 1) data[k] <= data[k-1];
          data[0] <= in_data;
        end
      assign out_data = data[N-1];
    end
  endgenerate
endmodule
