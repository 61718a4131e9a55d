// Maximum over windows that do not overlap; pixels that no window reads are dropped. One row of maxima is stored.
// Two stages: the maximum in a row, in `left`, and one clock later that with the rows above.
module fpgacnn_maxpool #(
  parameter C = 1, parameter EW = 6, parameter H = 6, parameter W = 6, parameter KH = 2, parameter KW = 2, parameter SIGNED = 0
) (
  input clk, input rst, input in_valid, input [C*EW-1:0] in_data, output reg out_valid, output reg [C*EW-1:0] out_data);
  localparam OH = H/KH, OW = W/KW, CB = $clog2(W+1), RB = $clog2(H+1), KCB = $clog2(KW+1), KRB = $clog2(KH+1);
  reg [CB-1:0] col;
  reg [RB-1:0] row;
  reg [KCB-1:0] inner_col;
  reg [KRB-1:0] inner_row;
  reg [C*EW-1:0] left;
  reg row_complete, row_first, row_last;
  wire [C*EW-1:0] in_row, in_window, above;
  wire covered = (col < OW*KW) && (row < OH*KH);
  wire complete = in_valid && covered && (inner_col == KW-1);
  fpgacnn_shift #(.DW(C*EW), .N(OW)) line (.clk(clk), .step(row_complete), .in_data(in_window), .out_data(above));
  genvar g;
  generate
    for (g = 0; g < C; g = g + 1) begin : channels
      wire [EW-1:0] now = in_data[g*EW +: EW], prior = left[g*EW +: EW], up = above[g*EW +: EW];
      wire left_larger = (SIGNED != 0) ? ($signed(prior) > $signed(now)) : (prior > now);
      wire [EW-1:0] best = (inner_col != 0 && left_larger) ? prior : now;
      wire up_larger = (SIGNED != 0) ? ($signed(up) > $signed(prior)) : (up > prior);
      assign in_row[g*EW +: EW] = best;
      assign in_window[g*EW +: EW] = (!row_first && up_larger) ? up : prior;
    end
  endgenerate
  always @(posedge clk) begin
    if (in_valid) left <= in_row;
    row_first <= (inner_row == 0);
    row_last <= (inner_row == KH-1);
    out_data <= in_window;
    if (rst) begin
      col <= 0; row <= 0; inner_col <= 0; inner_row <= 0; row_complete <= 0; out_valid <= 0;
    end else begin
      row_complete <= complete;
      out_valid <= row_complete && row_last;
      if (in_valid) begin
        if (col == W-1) begin
          col <= 0; inner_col <= 0;
          if (row == H-1) begin
            row <= 0; inner_row <= 0;
          end else begin
            row <= row + 1'b1; inner_row <= (inner_row == KH-1) ? 0 : inner_row + 1'b1;
          end
        end else begin
          col <= col + 1'b1; inner_col <= (inner_col == KW-1) ? 0 : inner_col + 1'b1;
        end
      end
    end
  end
endmodule
