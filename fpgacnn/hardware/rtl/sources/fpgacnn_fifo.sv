// A FIFO whose oldest word is visible before it is taken. The writer never waits: the depth comes from the schedule.
module fpgacnn_fifo #(parameter DW = 8, parameter DEPTH = 4) (
  input clk, input rst, input in_valid, input [DW-1:0] in_data, output out_valid, output [DW-1:0] out_data, input take);
  localparam AB = (DEPTH <= 2) ? 1 : $clog2(DEPTH);
  reg [DW-1:0] words [0:(1<<AB)-1];
  reg [AB:0] count;
  reg [AB-1:0] write, read;
  wire taken = take && out_valid;
  assign out_valid = (count != 0);
  assign out_data = words[read];
  always @(posedge clk) begin
    if (in_valid) words[write] <= in_data;
    if (rst) begin
      count <= 0; write <= 0; read <= 0;
    end else begin
      if (in_valid) write <= write + 1'b1;
      if (taken) read <= read + 1'b1;
      if (in_valid && !taken) count <= count + 1'b1;
      if (!in_valid && taken) count <= count - 1'b1;
    end
  end
  // synthesis translate_off
  always @(posedge clk)
    if (!rst && in_valid && !taken && count >= DEPTH) begin
      $display("error: FIFO %m holds more than %0d words", DEPTH);
      $fatal(1);
    end
  // synthesis translate_on
endmodule
