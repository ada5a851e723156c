"""Quality: what speaks against a text by itself. Each filter is a pure function from a text to a `Hit` or None.

    hit               what a filter finds: the reason for a drop, and its detail
    filters           the filters that a config switches on, as step 5 asks them; code fences
    decontamination   texts of benchmarks, shared word for word or nearly
    benchmark_texts   the texts of a benchmark's file, in whichever format and column
    plain_letters     the words of a text in plain letters, without ligatures, accents and what nobody sees
    ngrams            which texts share a run of words with a text
    personal_data     addresses, numbers and keys that may point to a person
    phone_numbers     telephone numbers, as they are written in many countries
    common_words      in which language many texts together are
    language          in which language a text is
    refusals          outputs that decline to answer
    refusal_phrases   how models begin to decline, as patterns

Public: `Hit` in `hit`, `Filters` and `code_fences_hit` in `filters`, `Benchmarks` in `decontamination`,
`personal_data_hit`, `refusal_hit` and `language_hit` each in its module.
"""
