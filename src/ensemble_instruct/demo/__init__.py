"""Demo: tiny models on toy tasks, whose right answers can be computed.

    answers   how often each model, and their agreement, is right; what `run --preset demo` shows at its end
    tasks/    the toy tasks: wordings with slots, inputs, and the one right answer of each

Public: `demo_lines` in `answers`, `is_right` in `tasks`.
"""
