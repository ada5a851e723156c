"""How the voters of a run do over all of its rows; no label is needed for it.

    standing    what strategies look at: who agrees with the others, and what was learned of each voter
    tallies     sums over the rows of a run, from which all about its voters follows
    learned     how strong each voter is, who is related to whom, who is set aside and why
    stored      the same as text and back
    kept        what was kept: whose outputs, what they agree by, and how much, by their length
    seen        the voters as a table, and what the user should know of them, in words

Public: `View`, `Standing` (in `standing`); `VotedRow` (in `tallies`); `Voters`, `VoterStanding`, `learn_voters` (in
`learned`); `SeenVoters`, `seen_voters` (in `seen`); `Kept`, `kept_of` (in `kept`).
"""
