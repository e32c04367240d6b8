"""What emitted kernels call: Numba functions of numbers and arrays. They know nothing of the IR."""
