// Between the words of AXI4-Streams and the groups of values that enter an RTL network together. Verilog 2005.
// fpgacnn copies this file; fpgacnn_axis.v gives the sizes. It uses modules of the project's rtl/library.
//
// A group (a pixel, or a whole array) is GROUP bits with its padding: several groups fill a word, or a group fills several
// words. An event has GROUPS groups; the next event begins with a new word. Every port is a stream with valid and ready.
`default_nettype none

// Words to groups, the lowest bits first.
module fpgacnn_axis_take #(parameter WORD = 64, parameter GROUP = 8, parameter GROUPS = 4) (
    input wire clk, input wire rst,
    input wire in_valid, output wire in_ready, input wire [WORD-1:0] in_data,
    output wire out_valid, input wire out_ready, output wire [GROUP-1:0] out_data);
    wire took = in_valid && in_ready;
    wire gave = out_valid && out_ready;
    generate
        if (GROUP >= WORD) begin : words_of_a_group
            localparam WORDS = GROUP / WORD;
            reg [GROUP-1:0] held;
            reg [$clog2(WORDS+1)-1:0] count;
            assign out_valid = count == WORDS;
            assign out_data = held;
            assign in_ready = !out_valid || out_ready;
            always @(posedge clk) begin
                if (took)
                    held <= {in_data, held} >> WORD;
                if (rst)
                    count <= 0;
                else
                    count <= (gave ? 0 : count) + took;
            end
        end else begin : groups_of_a_word
            localparam MOST = WORD / GROUP;
            localparam REST = (GROUPS - 1) % MOST + 1; // groups of an event's last word
            reg [WORD-1:0] held;
            reg [$clog2(MOST+1)-1:0] left;
            wire last;
            fpgacnn_frame #(.P((GROUPS - 1) / MOST + 1)) u_word (
                .clk(clk), .rst(rst), .in_valid(took), .first(), .last(last));
            assign out_valid = left != 0;
            assign out_data = held[GROUP-1:0];
            assign in_ready = left == 0 || (left == 1 && out_ready);
            always @(posedge clk) begin
                if (took)
                    held <= in_data;
                else if (gave)
                    held <= held >> GROUP;
                if (rst)
                    left <= 0;
                else if (took)
                    left <= last ? REST : MOST;
                else if (gave)
                    left <= left - 1'b1;
            end
        end
    endgenerate
endmodule

// Groups to words; the bits of an event's last word that no group has are zero.
module fpgacnn_axis_give #(parameter WORD = 64, parameter GROUP = 8, parameter GROUPS = 4) (
    input wire clk, input wire rst,
    input wire in_valid, output wire in_ready, input wire [GROUP-1:0] in_data,
    output wire out_valid, input wire out_ready, output wire [WORD-1:0] out_data);
    wire took = in_valid && in_ready;
    wire gave = out_valid && out_ready;
    generate
        if (GROUP >= WORD) begin : words_of_a_group
            localparam WORDS = GROUP / WORD;
            reg [GROUP-1:0] held;
            reg [$clog2(WORDS+1)-1:0] left;
            assign out_valid = left != 0;
            assign out_data = held[WORD-1:0];
            assign in_ready = left == 0 || (left == 1 && out_ready);
            always @(posedge clk) begin
                if (took)
                    held <= in_data;
                else if (gave)
                    held <= held >> WORD;
                if (rst)
                    left <= 0;
                else if (took)
                    left <= WORDS;
                else if (gave)
                    left <= left - 1'b1;
            end
        end else begin : groups_of_a_word
            localparam MOST = WORD / GROUP;
            reg [WORD-1:0] held;
            reg [$clog2(MOST+1)-1:0] filled;
            reg full;
            wire last;
            wire [$clog2(MOST+1)-1:0] place = full ? 0 : filled;
            wire [WORD-1:0] earlier = place == 0 ? 0 : held;
            fpgacnn_frame #(.P(GROUPS)) u_group (
                .clk(clk), .rst(rst), .in_valid(took), .first(), .last(last));
            assign out_valid = full;
            assign out_data = held;
            assign in_ready = !full || out_ready;
            always @(posedge clk) begin
                if (took)
                    held <= earlier | ({{(WORD-GROUP){1'b0}}, in_data} << (place * GROUP));
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
