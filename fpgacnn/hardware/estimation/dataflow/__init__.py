"""The dataflow of io_stream designs: processes that read and write FIFOs, simulated word by word."""
