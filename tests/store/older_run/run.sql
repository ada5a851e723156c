BEGIN TRANSACTION;
PRAGMA application_id=1164855662;
PRAGMA user_version=5;
CREATE TABLE candidate (
        instance TEXT, voter TEXT, text TEXT NOT NULL, finish_reason TEXT NOT NULL, request BLOB NOT NULL,
        PRIMARY KEY (instance, voter)
    ) WITHOUT ROWID;
INSERT INTO "candidate" VALUES('1fbdec52a8d6a740','voter','the number is 198740','stop',X'BC3ED097CF58BDD91FA143D504D1B40D');
INSERT INTO "candidate" VALUES('43ee7960fd5aeff3','voter','the number is 505601','stop',X'489CA3A7331F5AE6AC9487C9D70D3286');
INSERT INTO "candidate" VALUES('4d007880f01b0ff6','voter','the number is 420778','stop',X'17016733994D815E1E23D6B12F5E16FB');
INSERT INTO "candidate" VALUES('97c7065c386328cc','voter','the number is 428293','stop',X'F5229298CAC126913829B379D765C650');
INSERT INTO "candidate" VALUES('a5ad9b6a640adf24','voter','I cannot tell 日本','stop',X'A9491B24BC7402351871AC384C0E69CA');
INSERT INTO "candidate" VALUES('ae518d06803ae240','voter','I cannot tell 日本','stop',X'18BE86C3F97BBA63CB0DEB7DA916B5B7');
CREATE TABLE example (
        kind TEXT, position INTEGER, instance TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
INSERT INTO "example" VALUES('input_output',0,'97c7065c386328cc','{"id": "97c7065c386328cc", "kind": "input_output", "instruction": "Say the number 428293 of the day 998045 to friend68304", "input": "gr\u00f6\u00dfer als 549147", "output": "number 428293 it is", "winners": ["instance"], "agreement": 0.5, "matrix": [[0.0, 0.5], [0.5, 0.0]], "follow_on": 0, "candidates": [{"voter": "instance", "output": "number 428293 it is", "score": 0.5}, {"voter": "voter", "output": "the number is 428293", "score": 0.5}]}');
INSERT INTO "example" VALUES('input_output',1,'43ee7960fd5aeff3','{"id": "43ee7960fd5aeff3", "kind": "input_output", "instruction": "Say the number 505601 of the day 539198 to friend73398", "input": "gr\u00f6\u00dfer als 515676", "output": "number 505601 it is", "winners": ["instance"], "agreement": 0.5, "matrix": [[0.0, 0.5], [0.5, 0.0]], "follow_on": 0, "candidates": [{"voter": "instance", "output": "number 505601 it is", "score": 0.5}, {"voter": "voter", "output": "the number is 505601", "score": 0.5}]}');
INSERT INTO "example" VALUES('output_only',0,'4d007880f01b0ff6','{"id": "4d007880f01b0ff6", "kind": "output_only", "instruction": "Say the number 420778 of the day 945440 to friend70600", "input": "", "output": "number 420778 it is", "winners": ["instance"], "agreement": 0.5, "matrix": [[0.0, 0.5], [0.5, 0.0]], "follow_on": 0, "candidates": [{"voter": "instance", "output": "number 420778 it is", "score": 0.5}, {"voter": "voter", "output": "the number is 420778", "score": 0.5}]}');
INSERT INTO "example" VALUES('output_only',1,'1fbdec52a8d6a740','{"id": "1fbdec52a8d6a740", "kind": "output_only", "instruction": "Say the number 198740 of the day 391177 to friend83845", "input": "", "output": "number 198740 it is", "winners": ["instance"], "agreement": 0.5, "matrix": [[0.0, 0.5], [0.5, 0.0]], "follow_on": 0, "candidates": [{"voter": "instance", "output": "number 198740 it is", "score": 0.5}, {"voter": "voter", "output": "the number is 198740", "score": 0.5}]}');
CREATE TABLE instance (
        kind TEXT, position INTEGER, id TEXT NOT NULL, instruction TEXT NOT NULL, input TEXT NOT NULL,
        output TEXT NOT NULL, follow_on INTEGER NOT NULL, completion TEXT NOT NULL, request BLOB NOT NULL,
        PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
INSERT INTO "instance" VALUES('input_output',0,'97c7065c386328cc','Say the number 428293 of the day 998045 to friend68304','größer als 549147','number 428293 it is',0,'79c56ff7d00b3eaa',X'0E5057B49244015A0BA4397DD5F7439A');
INSERT INTO "instance" VALUES('input_output',1,'43ee7960fd5aeff3','Say the number 505601 of the day 539198 to friend73398','größer als 515676','number 505601 it is',0,'c1b69a0f09568a95',X'DEC3B99BDF027FE571FC7EA3A0BA8406');
INSERT INTO "instance" VALUES('input_output',2,'a5ad9b6a640adf24','Say the number 500484 of the day 503379 to friend6877','größer als 801973','number 500484 it is',0,'883ec98f57e0cdd5',X'CA23F7B6CEDBAEBFC9735D8BC7FA98A0');
INSERT INTO "instance" VALUES('output_only',0,'ae518d06803ae240','Say the number 234804 of the day 643625 to friend52722','','number 234804 it is',0,'a4d9fd510bc8a87a',X'3B3847C9FB0364D4048A9EDBA1F3ACC1');
INSERT INTO "instance" VALUES('output_only',1,'4d007880f01b0ff6','Say the number 420778 of the day 945440 to friend70600','','number 420778 it is',0,'72efa2e069ec9180',X'EB6CB4563A96056AF6CA28EA974B3D91');
INSERT INTO "instance" VALUES('output_only',2,'1fbdec52a8d6a740','Say the number 198740 of the day 391177 to friend83845','','number 198740 it is',0,'b481ee629fa7ff6c',X'FF88727BD9555DF7F0CFFD80C7A7B2C0');
CREATE TABLE "instruction" (
        kind TEXT, position INTEGER, id TEXT NOT NULL, text TEXT NOT NULL, request BLOB NOT NULL,
        round INTEGER NOT NULL, most_similar TEXT NOT NULL, mean_similarity REAL,
        PRIMARY KEY (kind, position)
    ) WITHOUT ROWID;
INSERT INTO "instruction" VALUES('input_output',0,'742a181d089e2b65','Say the number 428293 of the day 998045 to friend68304',X'B099B097D39647F4B4B9C14EEAEA7152',0,'[["Adjust the ingredient list to the number of people stated, keeping the proportions.", 0.34782608695652173], ["Using the atomic masses supplied, compute the molar mass of the compound to two decimal places.", 0.3076923076923077], ["Judge the register of the message and reply formal or informal.", 0.28571428571428564], ["Name the phase of the Moon from the observation reported, and say roughly when it rises and sets that day.", 0.26666666666666666], ["Reformat the loose list as a Markdown table with the columns Day, Class and Room.", 0.24], ["Say what kind of answer the question asks for: person, place, time, number or reason.", 0.24], ["Factor the polynomial completely over the integers.", 0.23529411764705882], ["Is the sentence Italian, Spanish, Portuguese or Romanian? Answer with the name of the language only.", 0.23076923076923075], ["Work out from the clues who sits where, and list the people from left to right.", 0.23076923076923075], ["Find the rule behind the number sequence, explain it briefly, and supply the next two terms.", 0.23076923076923075]]',NULL);
INSERT INTO "instruction" VALUES('input_output',1,'b811aa3627f5741c','Say the number 505601 of the day 539198 to friend73398',X'DA357A845D8DAE710EF7DA304D8C55A3',1,'[["Say the number 428293 of the day 998045 to friend68304", 0.7], ["Adjust the ingredient list to the number of people stated, keeping the proportions.", 0.34782608695652173], ["Using the atomic masses supplied, compute the molar mass of the compound to two decimal places.", 0.3076923076923077], ["Judge the register of the message and reply formal or informal.", 0.28571428571428564], ["Name the phase of the Moon from the observation reported, and say roughly when it rises and sets that day.", 0.26666666666666666], ["Reformat the loose list as a Markdown table with the columns Day, Class and Room.", 0.24], ["Say what kind of answer the question asks for: person, place, time, number or reason.", 0.24], ["Factor the polynomial completely over the integers.", 0.23529411764705882], ["Is the sentence Italian, Spanish, Portuguese or Romanian? Answer with the name of the language only.", 0.23076923076923075], ["Work out from the clues who sits where, and list the people from left to right.", 0.23076923076923075]]',NULL);
INSERT INTO "instruction" VALUES('input_output',2,'0887d806b11f3d69','Say the number 500484 of the day 503379 to friend6877',X'D04460503B62B4E779C545158D6140F2',2,'[["Say the number 428293 of the day 998045 to friend68304", 0.7], ["Say the number 505601 of the day 539198 to friend73398", 0.7], ["Adjust the ingredient list to the number of people stated, keeping the proportions.", 0.34782608695652173], ["Using the atomic masses supplied, compute the molar mass of the compound to two decimal places.", 0.3076923076923077], ["Judge the register of the message and reply formal or informal.", 0.28571428571428564], ["Name the phase of the Moon from the observation reported, and say roughly when it rises and sets that day.", 0.26666666666666666], ["Reformat the loose list as a Markdown table with the columns Day, Class and Room.", 0.24], ["Say what kind of answer the question asks for: person, place, time, number or reason.", 0.24], ["Factor the polynomial completely over the integers.", 0.23529411764705882], ["Is the sentence Italian, Spanish, Portuguese or Romanian? Answer with the name of the language only.", 0.23076923076923075]]',NULL);
INSERT INTO "instruction" VALUES('output_only',0,'8922021ae2a10d0c','Say the number 234804 of the day 643625 to friend52722',X'90D10137CB739D5B5AE12B86E48DD56D',0,'[["How many distinct arrangements can be made from the letters of the word LEVEL?", 0.25], ["What are the four stages of a butterfly''s life, in the right order?", 0.25], ["Make a small table of the four inner planets with the number of moons each one has.", 0.22222222222222224], ["Outline the agenda of a one-hour meeting at which a choir chooses the pieces for its summer concert.", 0.20689655172413793], ["Balance the chemical equation for the complete combustion of propane.", 0.20000000000000004], ["I can practise for thirty minutes a day. Propose a four-week schedule for learning the basics of the ukulele.", 0.2], ["If the day after tomorrow is Sunday, what day was yesterday?", 0.1904761904761905], ["Calculate 15 percent of 640, showing the working on one line.", 0.1904761904761905], ["Identify the force that keeps planets in orbit around the Sun.", 0.1904761904761905], ["Which spelling of the noun is standard in British English, \"licence\" or \"license\"?", 0.17391304347826086]]',NULL);
INSERT INTO "instruction" VALUES('output_only',1,'710cafe8788dc2ca','Say the number 420778 of the day 945440 to friend70600',X'1F81AD172C32A4648AB3A99C2002485F',1,'[["Say the number 234804 of the day 643625 to friend52722", 0.7], ["How many distinct arrangements can be made from the letters of the word LEVEL?", 0.25], ["What are the four stages of a butterfly''s life, in the right order?", 0.25], ["Make a small table of the four inner planets with the number of moons each one has.", 0.22222222222222224], ["Outline the agenda of a one-hour meeting at which a choir chooses the pieces for its summer concert.", 0.20689655172413793], ["Balance the chemical equation for the complete combustion of propane.", 0.20000000000000004], ["I can practise for thirty minutes a day. Propose a four-week schedule for learning the basics of the ukulele.", 0.2], ["If the day after tomorrow is Sunday, what day was yesterday?", 0.1904761904761905], ["Calculate 15 percent of 640, showing the working on one line.", 0.1904761904761905], ["Identify the force that keeps planets in orbit around the Sun.", 0.1904761904761905]]',NULL);
INSERT INTO "instruction" VALUES('output_only',2,'77c07b27af37ae0e','Say the number 198740 of the day 391177 to friend83845',X'3CFB51F63400F145C3809D801AFA850E',2,'[["Say the number 234804 of the day 643625 to friend52722", 0.7], ["Say the number 420778 of the day 945440 to friend70600", 0.7], ["How many distinct arrangements can be made from the letters of the word LEVEL?", 0.25], ["What are the four stages of a butterfly''s life, in the right order?", 0.25], ["Make a small table of the four inner planets with the number of moons each one has.", 0.22222222222222224], ["Outline the agenda of a one-hour meeting at which a choir chooses the pieces for its summer concert.", 0.20689655172413793], ["Balance the chemical equation for the complete combustion of propane.", 0.20000000000000004], ["I can practise for thirty minutes a day. Propose a four-week schedule for learning the basics of the ukulele.", 0.2], ["If the day after tomorrow is Sunday, what day was yesterday?", 0.1904761904761905], ["Calculate 15 percent of 640, showing the working on one line.", 0.1904761904761905]]',NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('barred','{}');
INSERT INTO "meta" VALUES('config','{"seed": 42, "profile": "default", "seed_tasks": "530b899fea1d", "instructions.target.input_output": 3, "instructions.target.output_only": 3, "instructions.demonstrations.input_output": 2, "instructions.demonstrations.output_only": 2, "instructions.machine_demonstrations": 4, "instructions.novelty_threshold": 0.7, "instructions.window": 1, "instructions.patience": 500, "instructions.sampling.max_tokens": null, "instructions.sampling.min_tokens": null, "instructions.sampling.temperature": null, "instructions.sampling.top_k": null, "instructions.sampling.top_p": null, "instances.demonstrations.input_output": "f270c62f9712", "instances.demonstrations.output_only": "ee361bb1b66d", "instances.sampling.max_tokens": null, "instances.sampling.min_tokens": null, "instances.sampling.temperature": null, "instances.sampling.top_k": null, "instances.sampling.top_p": null, "outputs.sampling.max_tokens": null, "outputs.sampling.min_tokens": null, "outputs.sampling.temperature": null, "outputs.sampling.top_k": null, "outputs.sampling.top_p": null, "models.base.provider": "scripted", "models.base.base_url": null, "models.base.model": "", "models.base.endpoint": "completions", "models.base.function": "older_models:base", "models.base.replies": null, "models.base.path": null, "models.base.revision": null, "models.base.compute_type": null, "models.base.dtype": null, "models.base.context_length": null, "models.voter.provider": "scripted", "models.voter.base_url": null, "models.voter.model": "", "models.voter.endpoint": "completions", "models.voter.function": "older_models:voter", "models.voter.replies": null, "models.voter.path": null, "models.voter.revision": null, "models.voter.compute_type": null, "models.voter.dtype": null, "models.voter.context_length": null, "roles.instructions": "base", "roles.instances": "base", "roles.outputs": ["voter"], "roles.judge": null, "roles.fusion": null, "ensemble.strategy": "consensus", "ensemble.embedding_model": null, "ensemble.threshold": 0.01, "ensemble.min_agreement": 0.1, "ensemble.keep": null}');
INSERT INTO "meta" VALUES('pool_input_output','f8d211e8ba7c96cd');
INSERT INTO "meta" VALUES('pool_output_only','20d7c13d70fbff9e');
INSERT INTO "meta" VALUES('state','finished');
INSERT INTO "meta" VALUES('version','0.1.0');
INSERT INTO "meta" VALUES('words','[4.166666666666667, 4.0]');
CREATE TABLE origin (record TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rejected (
        id INTEGER PRIMARY KEY, step TEXT NOT NULL, kind TEXT, reason TEXT NOT NULL, text TEXT NOT NULL,
        source TEXT NOT NULL, request BLOB NOT NULL, detail TEXT NOT NULL
    );
INSERT INTO "rejected" VALUES(1,'ensemble','output_only','low_agreement','Say the number 234804 of the day 643625 to friend52722','ae518d06803ae240',X'3B3847C9FB0364D4048A9EDBA1F3ACC1','0.000 < 0.1');
INSERT INTO "rejected" VALUES(2,'ensemble','input_output','low_agreement','Say the number 500484 of the day 503379 to friend6877
größer als 801973','a5ad9b6a640adf24',X'CA23F7B6CEDBAEBFC9735D8BC7FA98A0','0.000 < 0.1');
CREATE TABLE request (
        key BLOB PRIMARY KEY, step TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL,
        shared INTEGER NOT NULL REFERENCES shared, prompt BLOB NOT NULL,
        sampling INTEGER NOT NULL REFERENCES sampling, seed INTEGER, repeat INTEGER NOT NULL,
        text TEXT, finish_reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
        failure TEXT, seconds REAL NOT NULL, answered_at REAL NOT NULL
    , estimated INTEGER NOT NULL DEFAULT 0, seed_honoured INTEGER NOT NULL DEFAULT 1);
INSERT INTO "request" VALUES(X'B099B097D39647F4B4B9C14EEAEA7152','instructions','input_output','base',1,X'783FFD1A27B573061517C03C088B5650A107A9DD4109D98ACB10D83203275B7ACCEE1A210D13D3BED233D603007C4A595E',1,536729216,0,' Say the number 428293 of the day 998045 to friend68304','stop',63,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'90D10137CB739D5B5AE12B86E48DD56D','instructions','output_only','base',2,X'783F4C75208C73061541A5A04E3FB8722F4E05D643907C99589C5D6CC565A8A7008A17FA366D8D80BD0BBA963BC67A0052DF5D25',1,432315790,0,' Say the number 234804 of the day 643625 to friend52722','stop',66,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'0E5057B49244015A0BA4397DD5F7439A','instances','input_output','base',3,X'783F87461E0AEDDBB11183300C05D03E533002070E67EFBF1812988484864B93E6759EC092BE9ECEEF01514154A22A202A880AA2127FFC4F5CE48E16390A34A282A844238DA8202A884AF4F5880AA2925309A2723122AFA13EE2C808B210951E7546E48EA87C00124425C34B440551C9902CD600880AA282A8202A880AA282A8202A88CA8907202A5F1B514405514154DEA001514154FE4A5436099AA0A69FBA97A94E6D3EA863F298D6EA589E695E7600BDD4792C8F15018C2E7E',2,511135931,0,'input: größer als 549147
output: number 428293 it is','stop',2230,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'DA357A845D8DAE710EF7DA304D8C55A3','instructions','input_output','base',1,X'783FFD1A27B573061517C03C088B5650A107A9DD4109D98ACB504F01A8045C4EC37A99C06907A017514C257D2DBA1164B811E43B68723431B230B234864505A848B4B4B4303031052503C8FC919985B1810997B11E006E963A53',1,728111049,0,' Say the number 505601 of the day 539198 to friend73398','stop',45,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'3B3847C9FB0364D4048A9EDBA1F3ACC1','instances','output_only','base',4,X'783FFD1FCDF6EDDAC10980300C85E1BB533882BCC6EA1EEEBF8B2F09828E20FCB7428F2D4DF2BEBED7008ACF014079AE068002A00028004A152857240005407113E21E1F40C94C26BB36000540F926F7000A80922F038002A0384B00509C5C0228CE6D001400A5A33E00054071620CA0002800CADF0165BD2C330538FDB15D23CE2D4A68720AF0E68C31550ED8D4B7EB90961BF368DE57',2,900319651,0,'output: number 234804 it is','stop',1630,6,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'1F81AD172C32A4648AB3A99C2002485F','instructions','output_only','base',2,X'783F4C75208C73061541A5A04E3FB8722F4E05D643907C99589C5D6CC565082F8E81C2202F51A926370296D0C04C0C0E2448F2363236B1303081E507500E37333136333205B9390DE8AABC1453237323232E633D00759239DF',1,1405436193,0,' Say the number 420778 of the day 945440 to friend70600','stop',45,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'F5229298CAC126913829B379D765C650','outputs','input_output','voter',5,X'0053617920746865206E756D62657220343238323933206F6620746865206461792039393830343520746F20667269656E6436383330340A6772C3B6C39F657220616C7320353439313437',3,NULL,0,'the number is 428293','stop',18,5,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'DEC3B99BDF027FE571FC7EA3A0BA8406','instances','input_output','base',3,X'783F87461E0AEDDBBB11C2400C05C09C2A5C82999BC3B8FFC67802FF80C44342B2D95570929E56C7F780A8202AA90A880AA282A8E48FFF898B9CD1226B814654109534D2880AA282A8A4AF475410959A4A10952F23B20DF589231364212A4BD499C81D51790324884A8597880AA2522159D600880AA282A8202A880AA282A8202A88CA8107202A1F1B51440551415476D080A8202A7F252A4F095AA0663975EF63BF8DD7953A168FE96DCE595B999717809E5A9BEF9707FFDD2E7C',2,168948151,0,'input: größer als 515676
output: number 505601 it is','stop',2230,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'D04460503B62B4E779C545158D6140F2','instructions','input_output','base',1,X'783FFD1A27B56599510A80400844FFF730A18E6EDA6FF7BF530DB61474800171C627E8495CDC33B86C25F47ABB33C8C7D03E0BB28A273621314557CB88AE406925EDEA3FCF0E540EFB29DDD20A5F65558AC7AB9C09F181ED02E0262D17',1,347807653,0,' Say the number 500484 of the day 503379 to friend6877','stop',37,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'18BE86C3F97BBA63CB0DEB7DA916B5B7','outputs','output_only','voter',5,X'0053617920746865206E756D62657220323334383034206F6620746865206461792036343336323520746F20667269656E6435323732320A',3,NULL,0,'I cannot tell 日本','stop',13,5,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'EB6CB4563A96056AF6CA28EA974B3D91','instances','output_only','base',4,X'783FFD1FCDF6EDDAC10980300C85E1BB5338429068EC1CDD7F175F120A3A82F0DF0A3DB634E9FBF25E03283A0700655D0D000540015000942A50AA48000A80A226443D3E8092994C766D000A80F24DEE011400255F06000540519600A028B9045094DB0028004A477D000A80A2C4184001500094BF03CA3E253305383DD8EE8745DC2534F90BD0E6F0D37B00B2A92FEC32DB1EF463DE59',2,995723250,0,'output: number 420778 it is','stop',1630,6,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'3CFB51F63400F145C3809D801AFA850E','instructions','output_only','base',2,X'783F4C75208C73061541A5A04E3FB8722F4E05D643907C99589C5D6CC565082C4981990DEC1948323431323037B780A55B504EB4343135313100999D06D49D97626E606660C06584A1D3C8D8C4C2C00459A79989B199912942A7A991B9911197B11E00DB692CF5',1,789463867,0,' Say the number 198740 of the day 391177 to friend83845','stop',37,13,NULL,0.0,1795956959.8,1,1);
INSERT INTO "request" VALUES(X'489CA3A7331F5AE6AC9487C9D70D3286','outputs','input_output','voter',5,X'0053617920746865206E756D62657220353035363031206F6620746865206461792035333931393820746F20667269656E6437333339380A6772C3B6C39F657220616C7320353135363736',3,NULL,0,'the number is 505601','stop',18,5,NULL,0.0,1795956960.4,1,1);
INSERT INTO "request" VALUES(X'CA23F7B6CEDBAEBFC9735D8BC7FA98A0','instances','input_output','base',3,X'783F87461E0AEDDBBB11C2400C05C09C2A5C0233369CE9BF313F81BF38F190906C76159CA4A7D5FEDD212A884AAA02A282A8202AF9E37FE22257B4C852A0111544258D34A282A8202AE9EB111544A5A61244E56444D6A13E7164822C44658E3A13B9232A074082A8547889A8202A1592650D80A8202A880AA282A8202A880AA282A8EC7800A2F2B511455410154465030D880AA2F257A2F296A0056AE653F75C680DE3B050C7E2318F7BDFB75799970F807E8EADDD26D12B2E46',2,1852545219,0,'input: größer als 801973
output: number 500484 it is','stop',2230,13,NULL,0.0,1795956960.4,1,1);
INSERT INTO "request" VALUES(X'17016733994D815E1E23D6B12F5E16FB','outputs','output_only','voter',5,X'0053617920746865206E756D62657220343230373738206F6620746865206461792039343534343020746F20667269656E6437303630300A',3,NULL,0,'the number is 420778','stop',13,5,NULL,0.0,1795956960.4,1,1);
INSERT INTO "request" VALUES(X'FF88727BD9555DF7F0CFFD80C7A7B2C0','instances','output_only','base',4,X'783FFD1FCDF6EDDAC10980300C85E1BB53B842A892740EF7DFC5F71A041D41F86F851E5B9AF47D79AF01149D0380F25C0D0005400150009455A05491001400454D887A7C00C5998CBB36000540F926F7000A80E29701400150942500284A2E0114E536000A80D2511F8002A028310650001400E5EF80B25F929905383DD81EB352E38E161AFF02B4396644A68DAAA9AF461DE77603F4E4DE6B',2,246396245,0,'output: number 198740 it is','stop',1630,6,NULL,0.0,1795956960.4,1,1);
INSERT INTO "request" VALUES(X'A9491B24BC7402351871AC384C0E69CA','outputs','input_output','voter',5,X'0053617920746865206E756D62657220353030343834206F6620746865206461792035303333373920746F20667269656E64363837370A6772C3B6C39F657220616C7320383031393733',3,NULL,0,'I cannot tell 日本','stop',18,5,NULL,0.0,1795956960.4,1,1);
INSERT INTO "request" VALUES(X'BC3ED097CF58BDD91FA143D504D1B40D','outputs','output_only','voter',5,X'0053617920746865206E756D62657220313938373430206F6620746865206461792033393131373720746F20667269656E6438333834350A',3,NULL,0,'the number is 198740','stop',13,5,NULL,0.0,1795956960.4,1,1);
CREATE TABLE sampling (id INTEGER PRIMARY KEY, settings TEXT NOT NULL UNIQUE);
INSERT INTO "sampling" VALUES(1,'{"max_tokens": 256, "min_tokens": 15, "temperature": 0.7, "top_k": 50, "top_p": 1.0, "stop": ["\n4.", "\n\n"]}');
INSERT INTO "sampling" VALUES(2,'{"max_tokens": 512, "min_tokens": 50, "temperature": 0.7, "top_k": 50, "top_p": 1.0, "stop": ["\n\ninstruction:"]}');
INSERT INTO "sampling" VALUES(3,'{"max_tokens": 512, "min_tokens": 0, "temperature": 0.0, "top_k": null, "top_p": 1.0, "stop": []}');
CREATE TABLE shared (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
INSERT INTO "shared" VALUES(1,'Using the curator''s notes below, write a museum label of about fifty words for general visitors.
Someone is retiring; turn the facts supplied about this colleague into a warm toast that takes under a minute to say.
Imagine you keep a lighthouse in 1890. Write a short diary entry that mentions every event in this list.
Compose a small ad of no more than 40 words to sell the item described by its owner.
Write the spoken weather bulletin that a local radio presenter could read out from the figures in the table.
Please make up a limerick (rhyme scheme AABBA) about a person who has the hobby named here.
Prepare a brief, polite notice in Spanish for hotel guests that covers all of the points listed in English.
Turn these raw commit messages into friendly release notes, grouped under the headings New, Fixed and Removed.
With the details provided, write a thank-you card of three or four sentences from a nine-year-old.
From the reporter''s scribbled facts, produce a headline and a one-sentence lead for a village newsletter.
Rewrite this furious message so that it is firm but courteous and still asks for the same thing.
Trim the wordy sentence to at most twelve words without losing its meaning.
Correct every spelling and grammar mistake in the passage and return only the corrected version.
Translate these INI settings to YAML, with one nested block per section and true/false for on/off.
Break up the rambling explanation into numbered steps, one action each.
Put these passive sentences into the active voice without changing the tense.
A French message was written with the formal "vous". Change it so that it addresses a friend with "tu".
How would this office jargon read in plain English that a new trainee understands at once?
Retell the passage in the third person and the past tense; the narrator''s name is Oskar.
Reformat the loose list as a Markdown table with the columns Day, Class and Room.
Restore the punctuation and capital letters that are missing from this text. Do not alter any words.
Each line holds a date, day before month. Rewrite all of them in the form YYYY-MM-DD.
Clean up the spoken transcript by removing fillers, false starts and repetitions, but leave the speaker''s own wording otherwise intact.
Pull out only the ERROR entries from the log and give the time and message of each.
What has to be done, by whom and by when? Answer with one line per task taken from the e-mail.
Read the till receipt and return a JSON object with the keys "shop", "total", "payment" and "items" (the number of articles bought).
My grandmother told me her recipe as a story. List just the ingredients with their amounts.
Which stall took the most money over both days, and how much was it, according to the table?
Ignoring ideas and open questions, state the decisions that were actually made according to these notes.
From the job advert, fill in these fields, writing "not stated" where nothing is said: role, hours per week, pay, start, contact.
Give me only the order number from this message.
List every time of day in the German announcement in 24-hour format, together with what happens then (in English).
Extract title, author, number of pages and rating from this review and present them as YAML.
Look through the commit history shown and name the hash of the commit that most likely changed the default timeout.
For the people in the story fragment, write each family or work relation as a triple: person, relation, person.
Find all physical quantities in the paragraph below and list them, separated by semicolons, exactly as written.
As the help desk, assign this ticket a priority of low, medium or high.
Is the sentence Italian, Spanish, Portuguese or Romanian? Answer with the name of the language only.
Judge the register of the message and reply formal or informal.
Say what kind of answer the question asks for: person, place, time, number or reason.
A town collects waste in four bins: blue for paper and cardboard, yellow for plastic and metal packaging, green for kitchen and garden scraps, black for everything else. Name the bin for the item.
Does this statement express a fact that could be checked, or an opinion? Write "fact" or "opinion".
Identify the main figure of speech in the line below; your choices are simile, metaphor, personification and hyperbole.
Decide from this error output whether the program was written in Python, Java, JavaScript or Go.
Label the commit message with one conventional type out of feat, fix, docs, refactor and test.
From which point of view is the extract told: first person, second person or third person?
Every review here criticises exactly one aspect: price, quality, delivery or service. Pick the right one.
Is the speaker being sarcastic? Yes or no.
Sort the incoming mail into one of two trays, "reply needed" or "no reply needed".
Next to each sentence write its type in brackets, choosing among statement, question, command and exclamation.
Two questions were posted on a gardening forum. Tell the moderator if the second is a duplicate of the first or different, and give a one-sentence reason.
You work in customer service for a yarn shop. Answer this customer kindly, apologise for the mistake, offer a solution that arrives in time, and make clear that she need not pay or send back anything.
Continue the conversation with four more lines so that the two neighbours reach an agreement.
Sum up this chat in two sentences.
Play a blacksmith in the year 1350 and respond, in character, to the traveller from the future.
Answer the guest in polite French as the receptionist; breakfast is from 7 to 10 and can be brought to the room for 5 euros.
Given a friend''s message and your own calendar, text back proposing the earliest afternoon when you are both free.
A reader asks the librarian something too vague to look up. What two short questions should the librarian ask back?
Supply what the shop assistant says in place of the dashes, so that the conversation makes sense.
Both flatmates have had their say; speak as a fair mediator and suggest a compromise in a short paragraph.
Boil the phone call down to a ticket note with the three lines Problem, Tried so far and Next step.
Recast the direct dialogue as one paragraph of reported speech.
Who promised to bring what to the picnic? Make a list of names and things out of this group talk.
Which option shows the same relationship as the example pair? Reply with the letter alone.
Work out from the clues who sits where, and list the people from left to right.
Can all of these statements be true at once? Begin with "Consistent" or "Inconsistent" and justify it in one sentence.
Someone describes a recurring trouble at home. Name the most likely cause and one simple check that would confirm it.
What is wrong with the reasoning in this argument? Give the usual name of the mistake if it has one.
Exactly one of the labels quoted here is true. In which box does the key lie, and how do you know?
Put the events into the only order in which they can sensibly have happened. Give just the letters.
One of the items does not belong with the rest. Say which one it is and why.
Weigh the two options against each other for the person described, then recommend one in a short paragraph.
Assume that the rules hold without exception. Is the conclusion true? Choose yes, no or cannot tell.
Trace the family ties and tell me how the two people in the final question are related.
State in a single sentence the assumption that the speaker leaves unsaid.
Find the rule behind the number sequence, explain it briefly, and supply the next two terms.
Calculate how much change the customer should get back, and show the total before and after any discount.
By what percentage did the quantity change, and did it go up or down?
Factor the polynomial completely over the integers.
Report the mean, median, mode and range of these values, one per line.
A garden bed is described in words. Determine its area and its perimeter, stating the units.
How likely is the outcome described? Answer with a fraction in lowest terms and the steps leading to it.
For every line, express the quantity in the unit given in brackets.
Write the equation of the straight line through these two points in the form y = mx + b.
You are marking a pupil''s homework. Point out the first wrong step in the working below and give the correct solution.
Is the number prime or composite? Answer with one word.
Arrange the fractions from smallest to largest, naming the common denominator you compared them with.
With interest added once a year, show in a small table how the savings grow over the period given.
Determine the lowest final exam score with which this student still reaches the desired course average.
In plain words, what does this function return, and what happens when the list is empty?
Repair the code so that it behaves as its comment promises. Show the corrected version, then name the fault.
Implement the function specified here in Python, using only the standard library.
Based on the tables described, give one SQL query that fulfils the request.
Take the regular expression apart piece by piece, and finish with one string that matches and one that does not.
Suggest a single shell command line that does the job described.
State the worst-case time complexity of the snippet in big-O notation and justify it briefly.
Write pytest tests for the function, covering ordinary use as well as the edge cases its docstring mentions.
Convert these comma-separated records into a JSON array of objects; numbers should stay numbers and empty fields become null.
Port the following Python function to modern JavaScript without changing what it computes.
Without running the program, tell me exactly what it prints.
A beginner does not understand this error. Explain its meaning and how to get rid of it.
Simplify the function while keeping its results identical, and show only the new code.
Identify the language this snippet is written in, choosing from Python, Rust, Java, SQL and Bash.
Find the physical quantity asked for, stating the formula you used.
Balance the chemical equation with the smallest whole-number coefficients.
Using the atomic masses supplied, compute the molar mass of the compound to two decimal places.
Transcribe the DNA template strand into mRNA, then list the amino acids it codes for, starting at the first codon.
To which vertebrate group does the animal belong: fish, amphibian, reptile, bird or mammal?
You are a hobby meteorologist. From the observations noted, say what weather is probably on its way and why.
Name the phase of the Moon from the observation reported, and say roughly when it rises and sets that day.
Pick out the independent variable, the dependent variable and three controlled variables in the experiment outlined.
Suppose the species named disappeared from the food chain. What would probably happen to each of the other members?
Explain the science behind this everyday experience in three or four sentences for a curious teenager.
Arrange the appointments into a single working day that respects all the conditions. Answer with a timetable.
Divide the income into monthly amounts as the person wishes, and present the result as a table with a total.
Which route between the two places is quickest? Name the stops in order and add up the time.
Turn the loose notes into a checklist that counts down to the event, earliest task first.
How soon can the whole project be finished if tasks may run in parallel? Give the time and the chain of tasks that decides it.
Find every hour-long slot in which all the people can meet, taking whole and half hours as starting times.
Adjust the ingredient list to the number of people stated, keeping the proportions.
My problem with a stain is described next. What should I do, step by step, without harming the material?
Tell me what to pack for the trip outlined, grouped under short headings and with nothing superfluous.
Determine which of the offers is the best value per kilogram, listing the price per kilogram of each.
An ingredient is missing in my kitchen. Recommend a replacement with the exact amounts.
Answer this traveller''s question in French, in no more than three sentences.');
INSERT INTO "shared" VALUES(2,'Compose a four-line rhyming poem about an old lighthouse that no longer has a keeper.
Begin a short story about a clockmaker who notices that one of his clocks runs backwards; two or three sentences are enough.
A village bakery is reopening after a flood. Announce this in a notice of at most sixty words for the shop window.
Describe the smell after a summer shower without using the words wet, water or rain.
Pretend you are on holiday in Brittany and write your family a postcard of three sentences in French.
When is a semicolon a better choice than a comma?
Explain the traditional difference between "fewer" and "less", with one example sentence for each.
Name five wordy phrases that editors often cut, and give a shorter replacement for each.
Which spelling of the noun is standard in British English, "licence" or "license"?
Show with a pair of sentences that removing commas can change who is being talked about.
Botanically speaking, is a tomato a fruit or a vegetable? Reply with a single word.
Answer yes or no: can 4,371 be divided by 3 without a remainder?
Of iron, oxygen and mercury, only one is a liquid at room temperature. Say which it is.
Does sound travel fastest through air, through sea water or through steel?
True or false: every square is also a rhombus.
Nora, Ivan and Petra ran a race without a tie. Nora finished ahead of Ivan, and Ivan was not last. In what order did they finish?
Suppose three boxes hold apples, oranges and a mixture of both, and every label is on the wrong box. From which box should you take one fruit to correct all the labels, and why?
If the day after tomorrow is Sunday, what day was yesterday?
How could someone measure out exactly four litres with nothing but a tap, a three-litre jug and a five-litre jug?
Someone argues that people who own many books sleep better, so buying books must improve sleep. Point out the flaw.
Calculate 15 percent of 640, showing the working on one line.
How many distinct arrangements can be made from the letters of the word LEVEL?
Prove that adding two odd integers always gives an even integer.
Find the area of a triangle with sides of 13, 14 and 15 centimetres.
List the prime numbers between 50 and 80 in ascending order, separated by commas.
Implement a Python function called is_palindrome that ignores case, spaces and punctuation.
Using SQL, create a table for the books of a small library, with a primary key and sensible column types.
What does the shell command `sort names.txt | uniq -c | sort -rn | head -n 3` print?
Define a CSS rule that centres one child element horizontally and vertically inside a container of class stage.
In JavaScript, how do I remove duplicate numbers from an array while keeping the original order?
Invent a brief conversation between a shoemaker and a customer who changes her mind twice.
Imagine Saturn and Jupiter quarrelling over which of them is more beautiful; let each speak twice.
You are a librarian, and a visitor is talking loudly on the phone in the reading room. What do you say?
My colleague keeps interrupting me during meetings. Suggest one calm sentence for that moment.
Act as a patient waiter and reply to a guest who complains that the gazpacho has arrived cold.
Plan a rainy afternoon at home for two children aged six and nine, from one o''clock until five.
Set out the main steps for moving an eight-person office to a new building within one month.
I can practise for thirty minutes a day. Propose a four-week schedule for learning the basics of the ukulele.
Put together a packing list for a three-day summer hike with nights in staffed mountain huts.
Outline the agenda of a one-hour meeting at which a choir chooses the pieces for its summer concert.
Why does ice float on water?
Make a small table of the four inner planets with the number of moons each one has.
Balance the chemical equation for the complete combustion of propane.
What are the four stages of a butterfly''s life, in the right order?
Identify the force that keeps planets in orbit around the Sun.
How do I open a glass jar whose metal lid is stuck?
Tell me in no more than six steps how to sew a button back onto a shirt.
Can bananas be frozen, and what are they good for afterwards?
Translate "Where is the nearest pharmacy, please?" into Spanish, French and German, one per line.
Recommend a sensible order for cleaning a bathroom so that nothing has to be done twice.');
INSERT INTO "shared" VALUES(3,'instruction: Rewrite the following note so that it sounds polite but keeps the same requests.
input: Your parcels are blocking the stairs again. Move them today or I will throw them out. Nobody else leaves their rubbish lying around. And stop slamming the front door at midnight, some of us have to work in the morning!
output: Dear neighbour, I noticed that some of your parcels are standing on the stairs again, which makes it hard to get past. Could you please take them inside today? I would also be grateful if you closed the front door gently at night, as the noise wakes me and I have to get up early for work. Thank you very much for your help.

instruction: Which one of these animals is not a mammal?
input: dolphin
bat
penguin
hedgehog
output: penguin

instruction: Scale this recipe from four servings up to six.
input: Pancakes for 4
200 g flour
300 ml milk
2 eggs
1 tablespoon sugar
40 g butter, melted

Whisk everything together, leave to rest for 20 minutes and fry 8 thin pancakes.
output: Pancakes for 6
300 g flour
450 ml milk
3 eggs
1 1/2 tablespoons sugar
60 g butter, melted

Whisk everything together, leave to rest for 20 minutes and fry 12 thin pancakes.

instruction: Find the bug in the Python function, correct it, and say in one sentence what was wrong.
input: def average(numbers):
    total = 0
    for n in numbers:
        total = n
    return total / len(numbers)
output: def average(numbers):
    total = 0
    for n in numbers:
        total += n
    return total / len(numbers)

The loop overwrote the total with each number instead of adding the number to it, so the function divided only the last number by the length of the list.

instruction: How many minutes are left before the museum described here closes, if the visitor arrives at the time stated?
input: The Museum of Clocks is open from Tuesday to Friday from 9:30 to 17:15 and at weekends from 10:00 to 18:00. It is closed on Mondays. The visitor arrives on a Thursday at 16:40.
output: 35 minutes

instruction: Answer the customer''s complaint in a friendly email that apologises and offers a replacement.
input: Hello,
the teapot I ordered from you came today, but the spout is broken off. It was wrapped in a single sheet of newspaper, so I am not surprised! It was meant as a present for my sister on Sunday. What do you suggest now?
Irene Falk
output: Dear Ms Falk,

I am very sorry that your teapot arrived with a broken spout, especially as it was meant to be a present for your sister. One sheet of newspaper is certainly not enough, and I have spoken to our packing team about it. We are sending you a new one by express today, carefully packed and free of charge, so that it reaches you before Sunday. There is no need to return the damaged one.

With kind regards,
Paul Brandt
Customer Service

instruction: Decide from the review whether the buyer would purchase the kettle again, choosing yes, no or unclear.
input: At first I was delighted. The kettle boils a litre in under three minutes, it is quiet, and the blue enamel looks lovely on the stove. But after three months the handle came loose, and the shop would not repair it. I have gone back to my old brand and will stay with it.
output: no

instruction: Arrange these historical milestones chronologically and add the year of each.
input: First people land on the Moon
Constantinople falls to the Ottomans
The French Revolution begins
Columbus first reaches the Americas
The Berlin Wall is opened
Magellan''s expedition sets sail
output: Constantinople falls to the Ottomans (1453)
Columbus first reaches the Americas (1492)
Magellan''s expedition sets sail (1519)
The French Revolution begins (1789)
First people land on the Moon (1969)
The Berlin Wall is opened (1989)

instruction: Convert each line of the shopping list into an object of a JSON array with the keys item, amount and unit.
input: 2 kg potatoes
500 g butter
3 l milk
6 pieces lemon
1 bag rice
output: [
  {"item": "potatoes", "amount": 2, "unit": "kg"},
  {"item": "butter", "amount": 500, "unit": "g"},
  {"item": "milk", "amount": 3, "unit": "l"},
  {"item": "lemon", "amount": 6, "unit": "pieces"},
  {"item": "rice", "amount": 1, "unit": "bag"}
]

instruction: Explain what the quoted proverb means and describe an everyday situation that it fits.
input: "Many hands make light work."
output: The proverb means that a big or tiring task becomes easy when many people share it. It fits, for example, the evening after a street party: one person would need hours to fold the tables, collect the cups and sweep the pavement, but when twenty neighbours help, everything is done in a quarter of an hour. Often the work even becomes pleasant, because people chat and laugh while they do it.

instruction: How would you say this to a stranger in polite Italian?
input: Excuse me, could you tell me which platform the train to Florence leaves from?
output: Mi scusi, potrebbe dirmi da quale binario parte il treno per Firenze?

instruction: Summarize the main point of the passage in at most fifteen words.
input: Earthworms are often overlooked, yet few animals do more for a garden. Their tunnels let air and rain reach the roots of plants. They drag dead leaves underground and digest them, and their droppings are rich in the minerals that plants need. Where the soil is never dug and always covered with leaves, their numbers grow from year to year, and so do the harvests of the gardener who leaves them in peace.
output: Earthworms improve garden soil by loosening it and turning dead leaves into plant food.

instruction: Work out the total price and the change for the purchase, and show each step.
input: Lena buys 3 notebooks at 2.40 euros each, 2 pens at 1.15 euros each and a pencil case for 4.50 euros. She pays with a 20-euro note.
output: Notebooks: 3 × 2.40 = 7.20 euros
Pens: 2 × 1.15 = 2.30 euros
Pencil case: 4.50 euros
Total: 7.20 + 2.30 + 4.50 = 14.00 euros

Change: 20.00 − 14.00 = 6.00 euros

instruction: Continue this dialogue with one more turn for each of the two speakers.
input: Tom: I think we are lost. We have passed that windmill before.
Aisha: Don''t worry, I know a shortcut.
Tom: That is what you said an hour ago, just before we ended up in a field full of cows.
Aisha: They were very friendly cows.
output: Tom: Friendly or not, one of them ate our guidebook. How do you know that this shortcut is any better?
Aisha: Because this time I am not guessing. Look, there is the church tower, and our car is parked right beside it.

instruction: Given a trail description, rate the hike as easy, moderate or hard.
input: The path runs for three kilometres along the eastern shore of the lake, is paved throughout and has no climbs. Benches stand every few hundred metres, there is a café at the halfway point, and prams and wheelchairs are no problem. Allow about an hour, or a little longer if you want to watch the herons.
output: easy

instruction: Can the conclusion be drawn from the two statements? Say yes or no and justify your answer briefly.
input: Statement 1: All members of the rowing club can swim.
Statement 2: Marta can swim.
Conclusion: Marta is a member of the rowing club.
output: No. The first statement says that every member can swim, but not that every swimmer is a member. Marta may be one of the many people who can swim without belonging to the club. The conclusion would follow if the first statement said that only members can swim.

instruction: Create a catchy product name and a one-sentence slogan for the item described in the text.
input: This lunch box is made of stainless steel and fits into any school bag. It has three separate compartments, so that fruit, salad and bread do not touch. A silicone seal keeps it leakproof, and a small spoon clips into the lid. It can be washed in the dishwasher.
output: Name: TrioTin
Slogan: Three flavours that never mix, one lid that never leaks, and a spoon that is always there when you need it.

instruction: Turn the student''s rough notes into a clear paragraph about volcanoes.
input: - magma = melted rock under ground, lighter than solid rock around it -> rises
- collects in chamber, pressure grows, gas bubbles
- breaks out = eruption; then called lava
- lava + ash pile up -> mountain grows
- dormant = quiet now, may wake up; extinct = will not erupt again
output: Deep under the ground, some rock melts and becomes magma. Because magma is lighter than the solid rock around it, it rises slowly and collects in a chamber. As more magma arrives and bubbles of gas form, the pressure grows until the magma breaks out at the surface. This is an eruption, and the magma is now called lava. With every eruption, layers of lava and ash pile up, and the mountain grows higher. A volcano that is quiet now but may wake up one day is called dormant, while one that is not expected to erupt again is extinct.

instruction:');
INSERT INTO "shared" VALUES(4,'instruction: Name the capital city of Australia.
output: Canberra

instruction: Compose two linked limericks about a cat that goes sailing.
output: A cat who was fond of the sea
Set sail in a box meant for tea.
When asked, "Are you wet?"
She purred back, "Not yet,
But the fish swim right up here to me!"

By noon she had eaten a score,
By two she was asking for more;
So heavy she sat
That the box and the cat
Were pushed by the waves to the shore.

instruction: What is the greatest common divisor of 84 and 126?
output: 42

instruction: Draft a short email asking a landlord to have a dripping kitchen tap repaired.
output: Dear Mr Novak,

The tap in my kitchen has been dripping since the weekend, and it is getting worse: I now collect about a bucket of water a day. I have tightened the handle, but that did not help, so the seal is probably worn. Apart from the noise at night, I am worried about the water bill.

Could you please send a plumber in the next few days? I am at home every afternoon from three o''clock, and on Friday all day.

Many thanks and kind regards,
Helen Moss
Second floor, left

instruction: Implement a Python generator that yields the Fibonacci numbers below a limit, and show how to call it.
output: def fibonacci(limit):
    # a is the current number, b is the one that follows it
    a, b = 0, 1
    while a < limit:
        yield a
        a, b = b, a + b

print(list(fibonacci(50)))
# prints [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]

instruction: Does a lunar eclipse happen at new moon or at full moon?
output: At full moon

instruction: List three advantages and two drawbacks of wooden kitchen worktops.
output: Advantages
1. Wood feels warm, looks lively and is gentle on glasses and dishes that are set down hard.
2. Scratches and stains can be sanded away, so the surface can be renewed many times instead of being replaced.
3. It can be cut and fitted with ordinary tools, even around awkward corners.

Drawbacks
1. It has to be oiled several times a year, or water will soak in around the sink and leave dark patches.
2. Hot pans leave burn marks unless they are always placed on a trivet or a folded cloth.

instruction: Think of a playful name for a café that is also a second-hand bookshop.
output: The Dog-Eared Bean

instruction: A train covers 280 kilometres between 9:40 and 13:10. Find its average speed and explain the calculation.
output: First find the duration of the journey. From 9:40 to 12:40 is 3 hours, and from 12:40 to 13:10 is another 30 minutes, so the train travels for 3.5 hours.

Average speed is distance divided by time:
280 km / 3.5 h = 80 km/h

The train travels at an average speed of 80 kilometres per hour. Any stops on the way are included in this figure.

instruction: Imagine a job interview at a plant nursery, and write six lines of it as a dialogue.
output: Manager: What made you apply for a job with plants?
Applicant: I grew up helping my grandmother in her vegetable garden, and I miss having soil under my nails.
Manager: A customer brings back a dead cactus and wants his money. What do you do?
Applicant: I would stay friendly and ask how often he watered it. If he says every day, we have found the cause, and I can show him how to look after the next one.
Manager: And if the fault was ours?
Applicant: Then I would apologise, give him a healthy plant in exchange and tell you about it, so that we can check whether the rest of the delivery is all right.

instruction: Why do the leaves of many trees change colour in autumn?
output: In spring and summer, leaves are full of chlorophyll, the green substance with which a tree captures the energy of sunlight. When the days become shorter and cooler, the tree stops renewing the chlorophyll, breaks it down and stores its valuable parts in the trunk and the roots. Yellow and orange substances that were in the leaf all along, hidden by the green, now become visible. Some trees, such as many maples, also produce red ones in autumn. Finally, a layer of cork forms at the base of the stalk, and the leaf falls.

instruction: Plan a vegetarian three-course dinner for guests in which every course contains pumpkin or squash.
output: Starter: Pumpkin soup
A smooth soup with ginger and coconut milk, topped with roasted pumpkin seeds. Make it the day before; it only needs to be warmed up.

Main course: Stuffed squash
Halved butternut squash filled with rice, mushrooms, walnuts and feta, baked until golden. Serve it with a green salad.

Dessert: Pumpkin cheesecake
A crust of crushed biscuits with a filling of cream cheese, pumpkin purée, cinnamon and nutmeg. Bake it in the morning and let it cool until the evening.

On the day itself, put the stuffed squash into the oven about forty-five minutes before the guests sit down; it can finish baking while you serve the soup.

instruction: Retell the fable of the fox and the grapes in the voice of the fox.
output: Let me tell you what really happened that afternoon. I was strolling past the vineyard, not especially hungry, when I saw a bunch of grapes hanging from the trellis. I jumped, purely for exercise. I jumped again, with a run-up, to stretch my legs. After the seventh jump I noticed that the grapes had a greenish look about them. Sour, no doubt, and probably full of pips. A fox of taste does not eat such things. So I lifted my tail and walked away with dignity, and if the crows on the fence were laughing, it was surely at something else.

instruction: Show the freezing and boiling points of water at normal pressure in Celsius, Fahrenheit and Kelvin as a table.
output: | | Celsius | Fahrenheit | Kelvin |
|---|---|---|---|
| Freezing point | 0 | 32 | 273.15 |
| Boiling point | 100 | 212 | 373.15 |

To convert, multiply a Celsius value by 1.8 and add 32 to get Fahrenheit, or add 273.15 to get Kelvin.

instruction: My friend wants to start running but always gives up after a week. How can I encourage her without being pushy?
output: Offer your company rather than advice: "I''m walking in the park on Tuesday evening; shall we jog a little in between?" Keep the first outings so short that she could have done more, because people come back to what felt easy. Talk about other things on the way, let her set the pace, and praise the fact that she came, not how fast she was. If she cancels, do not make a fuss of it; simply suggest the next date. Agreeing on a fixed day and a cup of tea afterwards often works better than any training plan.

instruction:');
INSERT INTO "shared" VALUES(5,'');
COMMIT;
