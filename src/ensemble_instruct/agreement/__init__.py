"""Agreement: which output the models agree on. Pure functions on texts and numbers; of use without a run too.

    ballots       the outputs of one instance, each by itself and in pairs: all that a strategy needs to know
    answers       when two texts are the same answer, also short ones and the results of long ones
    content       the content words of outputs, what they weigh, and what outputs of a row share
    task_ballots  the ballot of a row as its task asks for it
    voters        how the voters of a run do over all of its rows
    utilities     what agreement can mean, alone or mixed by weights
    embeddings    the utility that asks a sentence encoder
    ratings       how good models say that the outputs are
    rewards       the ratings of a local reward model
    choices       what a strategy is asked and what it says
    vouched       the strategy `vouched`
    strategies    which output is chosen, and how sure that is
    selection     the settings of step 5 with their defaults, and the example or the drop that a row becomes
    ensemble      step 5 on plain lists
    labelled      tasks with outputs, and what each output is worth by a reference or a preference
    figures       means with intervals, the influence of length, how well numbers rank
    evaluation    how well strategies and voters do against such tasks

Public: `Ballot`, `ballot`, `Selection`, `decide`, `choose`, `ensemble`, `evaluate`.
"""
