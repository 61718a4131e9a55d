"""The pages of all error codes and cautions."""
