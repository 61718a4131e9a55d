// Frames from a serial line to the network and back, for boards without a processor. Verilog 2001. fpgacnn copies this file.
// Host to board: the byte 0xA5, the number of 32-bit words as four bytes, the words; every number begins with its lowest byte.
// The last word of a frame has TLAST. Board to host: the words of the answers, without a header: the host computes their number.
// Before a frame, 0xA5 is awaited and every other byte ignored; a host resynchronizes by sending zeros, then a frame.
`default_nettype none

module fpgacnn_uart_receive #(
    parameter CYCLES = 100 // of the clock in one bit
) (
    input wire clock,
    input wire reset,
    input wire line,
    output reg [7:0] data,
    output reg valid // for one cycle
);
    reg [1:0] synchronized;
    reg [15:0] count;
    reg [3:0] bits; // 0: waits for a start bit; 1: start bit; 2 to 9: data; 10: stop bit
    always @(posedge clock) begin
        synchronized <= {synchronized[0], line};
        valid <= 1'b0;
        if (reset) begin
            synchronized <= 2'b11;
            bits <= 4'd0;
            count <= 16'd0;
        end else if (bits == 4'd0) begin
            count <= CYCLES / 2 - 1;
            if (!synchronized[1])
                bits <= 4'd1;
        end else if (count != 16'd0) begin
            count <= count - 16'd1;
        end else begin
            count <= CYCLES - 1;
            bits <= bits + 4'd1;
            if (bits == 4'd1) begin
                if (synchronized[1])
                    bits <= 4'd0; // a glitch, no start bit
            end else if (bits == 4'd10) begin
                bits <= 4'd0;
                valid <= synchronized[1];
            end else begin
                data <= {synchronized[1], data[7:1]};
            end
        end
    end
endmodule

module fpgacnn_uart_send #(
    parameter CYCLES = 100
) (
    input wire clock,
    input wire reset,
    input wire [7:0] data,
    input wire valid,
    output wire ready,
    output reg line
);
    reg [15:0] count;
    reg [9:0] bits;
    reg [3:0] left;
    assign ready = left == 4'd0;
    always @(posedge clock) begin
        if (reset) begin
            left <= 4'd0;
            line <= 1'b1;
            count <= 16'd0;
        end else if (left == 4'd0) begin
            line <= 1'b1;
            count <= 16'd0;
            if (valid) begin
                bits <= {1'b1, data, 1'b0};
                left <= 4'd10;
            end
        end else if (count == 16'd0) begin
            line <= bits[0];
            bits <= {1'b1, bits[9:1]};
            count <= CYCLES - 1;
        end else begin
            count <= count - 16'd1;
            if (count == 16'd1)
                left <= left - 4'd1;
        end
    end
endmodule

module fpgacnn_uart_frames (
    input wire clock,
    input wire reset,
    input wire [7:0] received,
    input wire received_valid,
    output reg [31:0] word,
    output reg word_valid,
    output reg word_last,
    input wire word_ready,
    input wire [31:0] answer,
    input wire answer_valid,
    output wire answer_ready,
    output wire [7:0] sent,
    output wire sent_valid,
    input wire sent_ready,
    output reg overrun // a word came while the network had not taken the one before: stays until a reset
);
    localparam [7:0] MAGIC = 8'hA5;
    reg [1:0] place; // of a byte in its number
    reg [31:0] number, left;
    reg in_frame, counted;
    wire [31:0] whole = {received, number[31:8]};
    always @(posedge clock) begin
        if (word_valid && word_ready)
            word_valid <= 1'b0;
        if (reset) begin
            in_frame <= 1'b0;
            counted <= 1'b0;
            place <= 2'd0;
            word_valid <= 1'b0;
            word_last <= 1'b0;
            overrun <= 1'b0;
            left <= 32'd0;
        end else if (received_valid) begin
            if (!in_frame) begin
                in_frame <= received == MAGIC;
                counted <= 1'b0;
                place <= 2'd0;
            end else begin
                number <= whole;
                place <= place + 2'd1;
                if (place == 2'd3) begin
                    if (!counted) begin
                        counted <= 1'b1;
                        left <= whole;
                        in_frame <= whole != 32'd0;
                    end else begin
                        if (word_valid && !word_ready)
                            overrun <= 1'b1;
                        word <= whole;
                        word_valid <= 1'b1;
                        word_last <= left == 32'd1;
                        left <= left - 32'd1;
                        in_frame <= left != 32'd1;
                    end
                end
            end
        end
    end

    reg [31:0] going;
    reg [2:0] bytes; // still to send
    assign answer_ready = bytes == 3'd0;
    assign sent = going[7:0];
    assign sent_valid = bytes != 3'd0;
    always @(posedge clock) begin
        if (reset) begin
            bytes <= 3'd0;
        end else if (answer_ready && answer_valid) begin
            going <= answer;
            bytes <= 3'd4;
        end else if (sent_valid && sent_ready) begin
            going <= {8'd0, going[31:8]};
            bytes <= bytes - 3'd1;
        end
    end
endmodule

module fpgacnn_uart_top #(
    parameter CLOCK_HZ = 100000000,
    parameter BAUD = 1000000
) (
    input wire clock,
    input wire reset_n,
    input wire from_host,
    output wire to_host,
    output reg led // changes with every answered frame; on for good after an overrun
);
    localparam CYCLES = CLOCK_HZ / BAUD;
    reg [3:0] resets = 4'hF;
    always @(posedge clock)
        resets <= {resets[2:0], !reset_n};
    wire reset = resets[3];
    wire [7:0] received, sent;
    wire received_valid, sent_valid, sent_ready, overrun;
    wire [31:0] word, answer;
    wire word_valid, word_last, word_ready, answer_valid, answer_last, answer_ready;

    fpgacnn_uart_receive #(.CYCLES(CYCLES)) receive (
        .clock(clock), .reset(reset), .line(from_host), .data(received), .valid(received_valid));
    fpgacnn_uart_send #(.CYCLES(CYCLES)) send (
        .clock(clock), .reset(reset), .data(sent), .valid(sent_valid), .ready(sent_ready), .line(to_host));
    fpgacnn_uart_frames frames (
        .clock(clock), .reset(reset), .received(received), .received_valid(received_valid), .word(word),
        .word_valid(word_valid), .word_last(word_last), .word_ready(word_ready), .answer(answer),
        .answer_valid(answer_valid), .answer_ready(answer_ready), .sent(sent), .sent_valid(sent_valid),
        .sent_ready(sent_ready), .overrun(overrun));
    network network_i (
        .ap_clk(clock), .ap_rst_n(!reset), .in_stream_TDATA(word), .in_stream_TKEEP(4'hF), .in_stream_TSTRB(4'hF),
        .in_stream_TLAST(word_last), .in_stream_TVALID(word_valid), .in_stream_TREADY(word_ready),
        .out_stream_TDATA(answer), .out_stream_TKEEP(), .out_stream_TSTRB(), .out_stream_TLAST(answer_last),
        .out_stream_TVALID(answer_valid), .out_stream_TREADY(answer_ready));

    always @(posedge clock) begin
        if (reset)
            led <= 1'b0;
        else if (overrun)
            led <= 1'b1;
        else if (answer_valid && answer_ready && answer_last)
            led <= !led;
    end
endmodule

`default_nettype wire
