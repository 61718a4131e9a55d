// All windows of an image that comes as one word, side by side, the first one lowest: any kernel, stride and padding.
// Cells outside of the image are PAD, and their bit of `out_inside` is 0. There is no register in it.
module fpgacnn_windows #(
  parameter C = 1, parameter EW = 8, parameter H = 8, parameter W = 8, parameter KH = 3, parameter KW = 3,
  parameter SH = 1, parameter SW = 1, parameter PT = 0, parameter PL = 0, parameter OH = 6, parameter OW = 6,
  parameter [EW-1:0] PAD = 0
) (
  input [H*W*C*EW-1:0] in_data, output [OH*OW*KH*KW*C*EW-1:0] out_data, output [OH*OW*KH*KW-1:0] out_inside);
  localparam DW = C*EW;
  genvar y, x, i, j;
  generate
    for (y = 0; y < OH; y = y + 1) begin : rows
      for (x = 0; x < OW; x = x + 1) begin : columns
        for (i = 0; i < KH; i = i + 1) begin : cell_rows
          for (j = 0; j < KW; j = j + 1) begin : cells
            localparam ROW = y*SH + i - PT, COL = x*SW + j - PL, AT = ((y*OW + x)*KH + i)*KW + j;
            localparam INSIDE = (ROW >= 0) && (ROW < H) && (COL >= 0) && (COL < W);
            localparam FROM = INSIDE ? (ROW*W + COL)*DW : 0;
            assign out_inside[AT] = INSIDE;
            assign out_data[AT*DW +: DW] = INSIDE ? in_data[FROM +: DW] : {C{PAD}};
          end
        end
      end
    end
  endgenerate
endmodule
