"""Names from files become C++ identifiers: letters, digits and underscores, unique without regard to case."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_LENGTH = 40

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval
constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else
enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof static
static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned
using virtual void volatile wchar_t while xor xor_eq
"""
_TAKEN_BY_HLS4ML = """
perm input inputs output outputs data res result result_t input_t config nnet hls std ap_fixed ap_ufixed ap_int ap_uint
ap_shift_reg weights bias main myproject max min abs exp log sin cos tan tanh sqrt pow floor ceil round printf malloc
free memcpy exit time clock index div signal y0 y1 yn j0 j1 jn linux unix errno stdin stdout stderr default model
"""
_ATTRIBUTES_OF_HLS4ML = """
accum accum_t_str activ_param activation algorithm align_corners apply_reset_gate axis b b_b backward_activation
backward_bias backward_class_name backward_layer backward_recurrent_activation backward_recurrent_bias
backward_recurrent_reuse_factor backward_recurrent_weight backward_reuse_factor backward_weight beta_data beta_quantizer
bias_data bias_precision bias_quantizer bit_exact_transformed bitwidth br br_b class_name collapse collapse_type
config_cpp config_mult_t1 config_mult_t2 config_name conv_fn conv_implementation count_pad crop_bottom crop_left
crop_right crop_top d da_codegen da_comb_logic da_comb_trace da_kernel_cost data_format data_reader dense_function depth
depth_multiplier depthwise depthwise_accum depthwise_config depthwise_data depthwise_quantizer depthwise_result
depthwise_reuse_factor dilation dim direction distance_nint distance_width dw_line_buffer_codegen e embeddings epsilon
epsilon_power_of_10 equation exp_table exp_table_size expression fill_fn filt_height filt_width forward_activation
forward_bias forward_class_name forward_layer forward_recurrent_activation forward_recurrent_bias
forward_recurrent_reuse_factor forward_recurrent_weight forward_reuse_factor forward_weight function_cpp fusible
gamma_data gamma_quantizer group height impl implementation in_chan in_height in_width include_header inp0_shape
inp0_tpose_idxs inp1_shape inp1_tpose_idxs inp_norm_t_str inp_shape inp_tpose_idxs input0 input1 input2 input3
input_layers input_shape instructions inv_inp inv_table inv_table_size iotype kernel_config layer_list
line_buffer_codegen log2_reuse loop_mode lut_functions mask_fn_codegen mask_kbi mean_by_nvert mean_data mean_quantizer
merge merge_mode min_height min_width multiplier_limit n_aggregators n_chan n_contract n_dim n_elem n_elem1 n_elem2
n_filt n_free0 n_free1 n_free_data n_free_kernel n_in n_in_features n_inner n_inplace n_mult n_out n_out_features
n_outer n_partitions n_propagate n_sequence n_sequence_out n_slice n_state n_sublayers n_symbols n_time_steps
n_timesteps n_vertices n_vertices_width name narrow new_attribute next nonzeros nvtx nzeros op original_type out_chan
out_height out_interpert_shape out_shape out_tpose_idxs out_width output_layers output_shape overrides p pad_bottom
pad_left pad_right pad_top parallelization_factor param pass_initial_states perm_str pointwise pointwise_accum
pointwise_config pointwise_data pointwise_quantizer pointwise_reuse_factor pool_height pool_op pool_width product_type
pw_line_buffer_codegen pytorch quantize quantizer quantizer_precision recr_type recurrent_activation recurrent_bias
recurrent_reuse_factor recurrent_weight recurrent_weight_data resource_unrolled_dense_codegen
resource_unrolled_dense_codegen_1 resource_unrolled_dense_codegen_2 return_sequences return_state reuse reuse_factor
rounding_mode scale scale_data scale_index_height_type scale_index_type scale_index_width_type scale_precision
scale_quantizer seq_len shift shift_prec size skip slope slope_prec strategy stride_height stride_width sublayer_configs
table table_data table_range_power2 table_size target_cycles target_shape threshold time_major
time_step_loop_parallelism to_original_kernel trace trusted type type_name unrolled_function unscaled unscaled_h
unscaled_w use_beta use_bias use_gamma value variance_data variance_quantizer vocab_size w w_b weight weight_data
weight_quantizer width wr wr_b wrapped_layer z zero_bias zeropt
"""
"""hls4ml stores a layer's result as an attribute with the layer's name, which replaces an attribute of that name."""
_ATTRIBUTES_OF_OWN_LAYERS = """
channels_first from_rows n_banks n_blocks n_cols n_groups n_levels n_others n_rows new_height new_width
"""
"""The same for layers that fpgacnn adds to hls4ml."""

RESERVED = frozenset((_KEYWORDS + _TAKEN_BY_HLS4ML + _ATTRIBUTES_OF_HLS4ML + _ATTRIBUTES_OF_OWN_LAYERS).split())
_MADE_BY_HLS4ML = re.compile(r"(?:[abdprstwz]|\w*config)\d+|layer\d+_\w+|loaded_weights")
"""Variables and structures that hls4ml names with a number: `w2`, `relu_config3`, `layer4_out`."""


def safe_name(text: str) -> str:
    """A C++ identifier similar to `text`; not yet unique."""
    name = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]", "_", text)).strip("_").lower()[: MAX_LENGTH - 4].rstrip("_")
    if not name:
        return "layer"
    if name.endswith("_t"):
        name = f"{name}_l"
    return f"l_{name}" if name in RESERVED or not name[0].isalpha() or _MADE_BY_HLS4ML.fullmatch(name) else name


class Namer:
    """Unique names."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def unique(self, text: str) -> str:
        """A safe name that was not returned before."""
        base = safe_name(text)
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name
