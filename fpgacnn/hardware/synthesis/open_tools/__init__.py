"""Yosys and nextpnr: netlists, routed designs and bitstreams of RTL projects, without a vendor's tool."""
