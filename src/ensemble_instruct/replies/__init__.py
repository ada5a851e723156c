"""What a model's reply says: text in, values out. No model is asked here, and nothing is stored.

    end_marker    the end marker of the original, taken out of what models say

Public: `squeezed`, `before_marker`, `without_marker` (in `end_marker`).
"""
