// A word and its valid, N clocks later. Only the valid is reset, so the words map to shift-register LUTs.
module fpgacnn_delay #(parameter DW = 8, parameter N = 1) (
  input clk, input rst, input in_valid, input [DW-1:0] in_data, output out_valid, output [DW-1:0] out_data);
  generate
    if (N == 0) begin : wires
      assign out_valid = in_valid;
      assign out_data = in_data;
    end else begin : stages
      reg [N-1:0] valid;
      reg [DW-1:0] data [0:N-1];
      integer k;
      always @(posedge clk) begin
        for (k = 1; k < N; k = k + 1) begin
          data[k] <= data[k-1];
          valid[k] <= rst ? 1'b0 : valid[k-1];
        end
        data[0] <= in_data;
        valid[0] <= rst ? 1'b0 : in_valid;
      end
      assign out_valid = valid[N-1];
      assign out_data = data[N-1];
    end
  endgenerate
endmodule
