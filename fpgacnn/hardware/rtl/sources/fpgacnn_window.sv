// Windows of an image that comes pixel by pixel: any kernel, any stride, padding smaller than the kernel.
// The last windows of a frame need pixels that do not exist: the module shifts itself on until they are out, and the
// pixels of the next frame, when they come, shift as well. `in_take` says which pixel is used; without a pace it is
// every valid one. With PACE > 1 at least PACE clocks lie between two shifts, and the pixels must come from a FIFO.
// Cells outside of the image are PAD, and their bit of `out_inside` is 0. With padding, a register stands behind the cells:
// the choice between a cell and PAD, in front of the adders of a kernel, would make the longest path.
module fpgacnn_window #(
  parameter C = 1, parameter EW = 8, parameter H = 8, parameter W = 8, parameter KH = 3, parameter KW = 3,
  parameter SH = 1, parameter SW = 1, parameter PT = 0, parameter PB = 0, parameter PL = 0, parameter PR = 0,
  parameter PACE = 1, parameter [EW-1:0] PAD = 0
) (
  input clk, input rst, input in_valid, input [C*EW-1:0] in_data, output in_take,
  output out_valid, output [KH*KW*C*EW-1:0] out_data, output [KH*KW-1:0] out_inside);
  localparam DW = C*EW, PADDED = PT+PB+PL+PR;
  localparam OH = (H+PT+PB-KH)/SH + 1, OW = (W+PL+PR-KW)/SW + 1;
  localparam FIRST = (KH-1-PT)*W + (KW-1-PL);           // the pixel that completes the first window
  localparam LAST_ROW = (OH-1)*SH, LAST_COL = (OW-1)*SW; // upper left corner of the last window, in padded pixels
  localparam NB = $clog2(H*W+1), RB = $clog2(H+KH+1), CB = $clog2(W+KW+1);
  localparam SRB = $clog2(SH+1), SCB = $clog2(SW+1), PB_ = $clog2(PACE+1);
  reg [NB-1:0] pixel;
  reg running;
  reg [RB-1:0] row;
  reg [CB-1:0] col;
  reg [SRB-1:0] row_phase;
  reg [SCB-1:0] col_phase;
  reg [PB_-1:0] wait_clocks;
  wire ready = (PACE == 1) || (wait_clocks == 0);
  assign in_take = ready && in_valid;
  wire flush = ready && !in_valid && running && (pixel == 0);
  wire step = in_take || flush;
  wire start = in_take && (pixel == FIRST);
  wire active = running || start;
  wire last = (row == LAST_ROW) && (col == LAST_COL);
  reg complete; // the cells are a window
  wire [KH*KW*C*EW-1:0] window;
  wire [KH*KW-1:0] in_image;
  always @(posedge clk) begin
    if (rst) begin
      pixel <= 0; running <= 0; complete <= 0; row <= 0; col <= 0; row_phase <= 0; col_phase <= 0; wait_clocks <= 0;
    end else begin
      complete <= step && active && (row_phase == 0) && (col_phase == 0) && (col <= LAST_COL);
      if (PACE != 1) wait_clocks <= step ? PACE-1 : (wait_clocks == 0) ? 0 : wait_clocks - 1'b1;
      if (in_take) pixel <= (pixel == H*W-1) ? 0 : pixel + 1'b1;
      if (step && active) begin
        running <= !last;
        if (last) begin
          row <= 0; col <= 0; row_phase <= 0; col_phase <= 0;
        end else if (col == W-1) begin
          col <= 0; col_phase <= 0; row <= row + 1'b1; row_phase <= (row_phase == SH-1) ? 0 : row_phase + 1'b1;
        end else begin
          col <= col + 1'b1; col_phase <= (col_phase == SW-1) ? 0 : col_phase + 1'b1;
        end
      end
    end
  end
  genvar i, j, k;
  generate
    for (j = 0; j < KW; j = j + 1) begin : places
      reg column_inside; // a register: to compare in front of the kernel would make the longest path
      always @(posedge clk)
        if (step) column_inside <= ((PL == 0) || (col + j >= PL)) && ((PR == 0) || (col + j < W + PL));
    end
    for (i = 0; i < KH; i = i + 1) begin : rows
      wire [DW-1:0] entering, leaving;
      reg [DW-1:0] cells [0:KW-1];
      integer n;
      always @(posedge clk)
        if (step) begin
          cells[KW-1] <= entering;
          for (n = 0; n < KW-1; n = n + 1) cells[n] <= cells[n+1];
        end
      if (i == KH-1) begin : newest
        assign entering = in_data;
      end else begin : older
        assign entering = rows[i+1].leaving;
      end
      if (i == 0) begin : oldest
        assign leaving = 0;
      end else if (W >= KW) begin : buffered
        fpgacnn_shift #(.DW(DW), .N(W-KW)) line (.clk(clk), .step(step), .in_data(cells[0]), .out_data(leaving));
      end else begin : inside_window
        assign leaving = cells[KW-W];
      end
      reg row_inside;
      always @(posedge clk)
        if (step) row_inside <= ((PT == 0) || (row + i >= PT)) && ((PB == 0) || (row + i < H + PT));
      for (j = 0; j < KW; j = j + 1) begin : cols
        wire cell_inside = row_inside && places[j].column_inside;
        assign in_image[i*KW+j] = cell_inside;
        for (k = 0; k < C; k = k + 1) begin : channels
          assign window[((i*KW+j)*C+k)*EW +: EW] =
            (PADDED == 0) ? cells[j][k*EW +: EW] : cell_inside ? cells[j][k*EW +: EW] : PAD;
        end
      end
    end
    if (PADDED == 0) begin : direct
      assign out_valid = complete;
      assign out_data = window;
      assign out_inside = in_image;
    end else begin : registered
      reg complete_later;
      reg [KH*KW*C*EW-1:0] window_later;
      reg [KH*KW-1:0] inside_later;
      always @(posedge clk) begin
        complete_later <= !rst && complete;
        window_later <= window;
        inside_later <= in_image;
      end
      assign out_valid = complete_later;
      assign out_data = window_later;
      assign out_inside = inside_later;
    end
  endgenerate
endmodule
