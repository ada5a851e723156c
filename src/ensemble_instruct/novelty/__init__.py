"""Novelty: is anything that is there already closer than a threshold? Exact ROUGE-L F1, also among a million texts.

    pool        the texts in their order, and the question; small pools compare with each text
    index       the same question of a large pool, in flat arrays
    postings    the inverted index: for each token the texts that have it among their rarest ones
    bounds      what lengths and rarest tokens say of a score in advance, with the proof that nothing is missed
    long_texts  how much two long texts have in common, given up where it is too little
    dedup       near-duplicate removal in a list of texts, or in a user's own dataset

Public: `NoveltyPool` in `pool`, `dedup` and `dedup_file` in `dedup`.
"""
