// Repeats every pixel FW times and every row FH times, one pixel in a clock; the pixels come from a FIFO.
module fpgacnn_upsample #(parameter DW = 8, parameter W = 4, parameter FH = 2, parameter FW = 2) (
  input clk, input rst, input in_valid, input [DW-1:0] in_data, output in_take,
  output reg out_valid, output reg [DW-1:0] out_data);
  reg [DW-1:0] line [0:W-1];
  reg [$clog2(W+1)-1:0] col;
  reg [$clog2(FH+1)-1:0] row_copy;
  reg [$clog2(FW+1)-1:0] col_copy;
  wire first = (row_copy == 0) && (col_copy == 0);
  wire step = !first || in_valid;
  assign in_take = first && in_valid;
  always @(posedge clk) begin
    if (in_take) line[col] <= in_data;
    out_data <= first ? in_data : line[col];
    if (rst) begin
      col <= 0; row_copy <= 0; col_copy <= 0; out_valid <= 0;
    end else begin
      out_valid <= step;
      if (step) begin
        col_copy <= (col_copy == FW-1) ? 0 : col_copy + 1'b1;
        if (col_copy == FW-1) begin
          col <= (col == W-1) ? 0 : col + 1'b1;
          if (col == W-1) row_copy <= (row_copy == FH-1) ? 0 : row_copy + 1'b1;
        end
      end
    end
  end
endmodule
