// Between the words of AXI4-Streams and the groups of values that enter an RTL network together. Verilog 2005.
// fpgacnn copies this file; fpgacnn_axis.v gives the sizes. It uses modules of the project's rtl/library.
//
// A group (a pixel, or a whole array) is GROUP bits with its padding: several groups fill a word, or a group fills several
// words. An event has GROUPS groups; the next event begins with a new word. Every port is a stream with valid and ready.
`default_nettype none

// Words to groups or groups to words, the lowest bits first. An event has PIECES of the smaller ones: the larger one that ends
// it may have fewer than fit. Going in, the rest of its bits is not read; coming out, they are zero.
module fpgacnn_axis_resize #(parameter IN = 64, parameter OUT = 8, parameter PIECES = 4) (
    input wire clk, input wire rst,
    input wire in_valid, output wire in_ready, input wire [IN-1:0] in_data,
    output wire out_valid, input wire out_ready, output wire [OUT-1:0] out_data);
    wire took = in_valid && in_ready;
    wire gave = out_valid && out_ready;
    generate
        if (IN >= OUT) begin : pieces_of_one
            localparam MOST = IN / OUT;
            localparam REST = (PIECES - 1) % MOST + 1; // pieces of an event's end
            reg [IN-1:0] held;
            reg [$clog2(MOST+1)-1:0] left;
            wire last;
            fpgacnn_frame #(.P((PIECES - 1) / MOST + 1)) u_one (
                .clk(clk), .rst(rst), .in_valid(took), .first(), .last(last));
            assign out_valid = left != 0;
            assign out_data = held[OUT-1:0];
            assign in_ready = left == 0 || (left == 1 && out_ready);
            always @(posedge clk) begin
                if (took)
                    held <= in_data;
                else if (gave)
                    held <= held >> OUT;
                if (rst)
                    left <= 0;
                else if (took)
                    left <= last ? REST : MOST;
                else if (gave)
                    left <= left - 1'b1;
            end
        end else begin : one_of_pieces
            localparam MOST = OUT / IN;
            reg [OUT-1:0] held;
            reg [$clog2(MOST+1)-1:0] filled;
            reg full;
            wire last;
            wire [$clog2(MOST+1)-1:0] place = full ? 0 : filled;
            fpgacnn_frame #(.P(PIECES)) u_piece (
                .clk(clk), .rst(rst), .in_valid(took), .first(), .last(last));
            assign out_valid = full;
            assign out_data = held;
            assign in_ready = !full || out_ready;
            integer n;
            always @(posedge clk) begin
                if (took)
                    for (n = 0; n < MOST; n = n + 1)
                        if (place == n)
                            held[n*IN +: IN] <= in_data;
                        else if (place == 0)
                            held[n*IN +: IN] <= 0;
                if (rst) begin
                    filled <= 0;
                    full <= 1'b0;
                end else if (took) begin
                    filled <= place + 1'b1;
                    full <= place == MOST - 1 || last;
                end else if (gave) begin
                    filled <= 0;
                    full <= 1'b0;
                end
            end
        end
    endgenerate
endmodule

// A FIFO that makes its writer wait.
module fpgacnn_axis_queue #(parameter DW = 8, parameter DEPTH = 2) (
    input wire clk, input wire rst,
    input wire in_valid, output wire in_ready, input wire [DW-1:0] in_data,
    output wire out_valid, input wire out_ready, output wire [DW-1:0] out_data);
    wire took = in_valid && in_ready;
    wire gave = out_valid && out_ready;
    fpgacnn_fifo #(.DW(DW), .DEPTH(DEPTH)) u_words (
        .clk(clk), .rst(rst), .in_valid(took), .in_data(in_data), .out_valid(out_valid), .out_data(out_data),
        .take(out_ready));
    fpgacnn_credits #(.F(DEPTH)) u_places (
        .clk(clk), .rst(rst), .begun(took), .ended(gave), .open(in_ready));
endmodule

`default_nettype wire
