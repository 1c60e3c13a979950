"""Lists of words that occur in names, in small letters and without accents. Lines with # give the reason of a group.

The English nicknames are not here: the package `nicknames` keeps them.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    """Return the words of a text, without the lines that give a reason."""
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


# Particles: thousands of families share them, so that an equal particle says nothing of a person.
PARTICLES = _words("""
# Dutch, Flemish, Afrikaans
van von vom der den het ten ter te vander vanden ver op aan bij onder uit uijt vant
# German
zu zum zur auf dem am im
# French, Breton, Occitan, Norman (Fitz)
de du des d l le la les lez fitz
# Spanish, Portuguese, Catalan, Italian, Romanian
del de las los y e i da do das dos di della delle dello degli dei dal dalla dalle
# Arabic, Hebrew, Berber, Persian, Malay: the article, "son of", "father of", "daughter of"
al el ul ur ad ash as ar ed bin ben ibn ibnu bint binti binte bte abu abou umm ould ait
# Celtic: "son of", "daughter of", "grandson of"
ap ab mac mc nic o ui
# Scandinavian
af av til
# What stands before a former surname, in English, French, German, Dutch, Italian
nee geb geboren geborene geschieden verw verh vve dite dit detta
# Saint, in English, French, Italian, Spanish, Portuguese
saint sainte san santa santo sao
# Between two names
and und et
""")

# Particles that are first names too, where they begin the first name: Ben, Ed, Al, Ash, Van; Ad is Dutch, Bin Chinese.
FIRST_NAMES_TOO = frozenset(["al", "ash", "ben", "ed", "ad", "van", "bin", "san", "del", "santo"])

# Forms of address and academic titles, before or after a name: they say what somebody is, not who.
TITLES = _words("""
# English
mr mrs ms miss mx dr doctor prof professor sir dame lady lord rev reverend hon capt captain lt col maj sgt
# French
mme mlle monsieur madame mademoiselle maitre
# German
herr frau hr fr dipl inf kfm kffr betrw med jur rer nat phil habil univ magister dott
# Spanish, Portuguese, Italian
sra srta dra lic ing sig sigra dottssa ssa avv arq eng
# Czech, Polish, Dutch, Scandinavian, Turkish
mgr bc mudr judr phdr drs ir bey
# Degrees that are no names
phd dphil mba emba msc bsc mphil mph llm llb jd edd dba cpa cfa cfp pmp acca fcca esq
""")

# Degrees and licences that are names elsewhere (Ma, Do, Ba): dropped only behind a comma.
DEGREES_AFTER_COMMA = TITLES | _words("""
ma ba bs ms md do rn pe ra be me eng cpo cissp shrm scp cp phr sphr gphr aia ccim leed ap dds dmd od pa np mha mpa
mfa csm cscp ceo cto cfo coo
""")

# Generations: they tell a father from his son. What means the same is written the same.
GENERATIONS = {
    # English, German, Danish
    "jr": "jr", "junior": "jr", "jnr": "jr",  "sr": "sr", "senior": "sr", "snr": "sr",
    "ii": "2", "iii": "3", "iv": "4", "nd": "2", "rd": "3",
    # Portuguese: son, grandson, nephew
    "filho": "jr", "neto": "neto", "sobrinho": "sobrinho",
    # French: father, son
    "fils": "jr", "pere": "sr",
}  # fmt: skip

# In brackets behind a name on profile pages: how somebody is addressed.
PRONOUNS = frozenset(["she", "her", "hers", "he", "him", "his", "they", "them", "theirs", "elle", "lui", "sie", "er"])

# One name in several spellings or romanisations: each line is one name. For first names and, where they are
# surnames too, for surnames. Spellings that follow a rule (ph and f, c and k, double letters) need no line.
SPELLINGS = """
# Arabic: short vowels are not written, so that each language writes its own
mohammed muhammad mohamed mohammad muhammed mohamad muhamad mohd mouhamed mohammod muhamed mohamet mouhammad mahomed
ahmed ahmad ahmd ahamed ahmadh
mahmoud mahmud mahmood
hussein hussain husain husein hossein hussien houssein hossain hosein husayn hossin hussin
hassan hasan hassen hassane
yusuf yousef youssef yousuf yusef yussuf youcef youssouf yousif yusif jusuf
omar umar
osman othman usman uthman othmane osmane
ibrahim ebrahim ibraheem brahim ibrahima
khaled khalid kaled
saeed said saied sayeed saed
abdullah abdallah abdulla abdalla
abdulrahman abdurrahman abderrahmane abdelrahman abdalrahman abdurahman abdrahman abderrahman
abdulaziz abdelaziz abdoulaziz
tariq tarek tarik tareq tarique
rashid rasheed rachid
jamal gamal djamel jamel djamal
karim kareem
nasser naser nacer
mustafa mostafa mustapha moustapha moustafa mostapha
fatima fatimah fatema fatimeh fatimata
aisha ayesha aicha aysha aischa aesha
leila layla laila leyla layla leilah laylah
zainab zeinab zaynab zineb zaineb
maryam mariam meryem maryem meriem mariyam
samir sameer
amir ameer
walid waleed oualid
bashir bachir basheer
sharif cherif shareef sherif charif
mehdi mahdi
sayed sayyed sayyid syed
hamza hamzah
noor nour nur
rania raniya ranya
# Slavic: transliterated from Cyrillic by several standards
alexander aleksandr aleksander alexandr oleksandr aleksandar aliaksandr alexandru olexandr
alexandra aleksandra oleksandra
alexei alexey aleksei aleksey aleksej alexej oleksii oleksiy alyaksei
sergei sergey serguei sergej serhii serhiy siarhei
dmitri dmitry dmitriy dmitrii dimitri dmytro dimitry dmitrij dzmitry
evgeny yevgeny evgeniy yevgeniy evgenii jewgeni yevhen evgeni eugeny evgenij yevgeni
evgenia yevgenia evgeniya yevgeniya jewgenia yevheniia
ekaterina yekaterina jekaterina kateryna katerina
elena yelena jelena olena alena
julia yulia yuliya iuliia yuliia julija yulija iulia juliya
yuri yury juri yuriy iurii jurij yurii yurij iouri youri
yana jana iana
yaroslav jaroslav iaroslav jaroslaw
yakov jakov iakov
natalia natalya nataliya natalja nataliia natalija nathalia
tatiana tatyana tatjana tetiana tatsiana
xenia ksenia kseniya kseniia xeniya ksenija
anastasia anastasiya anastasiia anastasija
mikhail mihail michail mykhailo mikhael mikail mihailo
nikolai nikolay nikolaj mykola
andrei andrey andrej andrii andriy
fyodor fedor fiodor fjodor
pavel pawel pavlo
vladimir wladimir volodymyr uladzimir vladimer
vyacheslav viacheslav vjaceslav
svetlana swetlana svitlana
olga olha
piotr pyotr pjotr petr petro
lyudmila ludmila liudmila ljudmila
eva ewa
# Vietnamese and Serbian write one letter with a stroke: d, or dj
djordje dorde
# Greek
georgios giorgos yorgos georgos
ioannis yannis giannis yiannis ioannes
dimitrios dimitris demetrios
konstantinos constantinos kostas konstadinos
nikolaos nikos nicos
panagiotis panayiotis panos
athanasios thanasis thanos
vassilios vasilios vasilis vassilis
emmanouil manolis manos
evangelos vangelis
theodoros thodoris
aikaterini katerina
spyridon spyros spiros
# Hebrew
yosef josef yossef
yitzhak itzhak yitzchak
yaakov yaacov
chaim haim chayim
# Irish, Welsh and Scottish names and their English spellings
sean shaun shawn
caitlin kaitlin katelyn kaitlyn caitlyn
siobhan shivaun chevonne
aoife eefa
niamh neve
neil neal
rhys reece rees reese
allan alan allen alun
stephen steven stefan stephan stephane steffen
brian bryan bryon
geoffrey jeffrey jeffery geoff
philip phillip filip philipp philippe
catherine katherine kathryn catharine katharine cathryn
ann anne
ana anna
hana hanna hannah
emma ema
luc luke luk
zoe zoey zoie
lynn lynne lyn
isabel isabelle ysabel isobel izabel
michelle michele
rachel rachael
debra deborah debora
theresa teresa therese
eleanor elinor eleonor eleanora leonor
manuel emmanuel emanuel immanuel
manuela emmanuela emanuela
eleonora leonora
christine kristine christin
christian kristian
konstantin constantin constantine
rebecca rebekah rebeca rebekka
sofia sophia
gerhard gerhardt
bernhard bernhardt
bridget bridgit
viktor victor
claus klaus
hakon haakon
cecilia cecilie caecilia
"""
# The same saint's name in two languages. A person seldom bears both in writing, cousins do: a human should look.
TRANSLATIONS = """
john juan jean jan johann giovanni joao ivan ian hans johannes johan sean evan yannis ioannis
joseph jose giuseppe josef yusuf jozef
peter pedro pierre pietro piotr petr peder pieter petros
paul pablo paolo paulo pavel pawel pal
michael miguel michel michele mikhail mikael michal
george jorge georges giorgio georg georgios jerzy jurgen yuri joerg jiri gyorgy joris georgi
william guillaume guillermo wilhelm guglielmo willem
charles carlos carlo karl carl karel karol
henry henri heinrich enrique enrico hendrik henrik henryk
francis francisco francois francesco franz frans franciszek
louis luis luigi ludwig lodewijk luiz ludovic
anthony antonio antoine anton antoni antonin
alexander alejandro alessandro alexandre alexandros alejo
alexandra alejandra alessandra
james jacques jaime giacomo jakob jacob santiago diego jacobo
stephen etienne esteban stefano stefan istvan estevao
nicholas nicolas nicola niccolo nikolai mikolaj miklos
andrew andreas andres andrea andre andrei andrzej
matthew mateo matteo mathieu matthias mateusz matthieu matias
lucas luca luke lukasz lucca
mark marco marc marcos marek
thomas tomas tommaso tomaso tomasz
lawrence laurent lorenzo laurence lars lorenz
frederick federico frederic friedrich fryderyk fredrik
mary maria marie maryam miriam marija maire moira manon
elizabeth isabel elisabetta elisabeth elzbieta elisabet
catherine caterina catalina katarzyna ekaterina katarina katrin
margaret margarita marguerite margherita malgorzata margarete margareta
helen elena helene helena ilona elene
ann anna ana anne hannah anja anya
joan juana jeanne giovanna johanna joanna jane janina
susan susana susanna suzanne zuzana zsuzsanna
julia giulia julie yulia
lucy lucia lucie luzia
eugene evgeny eugenio eugen
theodore fyodor teodoro theo
basil vasily vassilis
gregory grigory gregorio gregoire grzegorz
philip felipe filippo
vincent vincenzo vicente
sophia sophie sofie zofia
christopher christoph christophe cristobal cristoforo krzysztof kristoffer
bernard bernhard bernardo bernat
gerard gerardo gerhard
bridget birgit brigitte birgitta brigida
benedict benoit benedikt benedetto benito
harriet henriette enrichetta
agnes agnese agnieszka ines
clara claire chiara klara
maurice moritz maurizio mauricio
edward eduard edoardo eduardo edouard duarte
sergei serge sergio
abraham ibrahim
mohammed mehmet mamadou
moses moussa musa
david dawud daud
gregory grigorios
leonard lennart leonardo
joseph jozsef josip
andrew andras ondrej anders
john janos jens jannis honza
catherine katalin katerina kaarina
elizabeth elisabeth erzsebet elspeth ilse bettina babette
francis ferenc
rudolf rolf ralf rodolfo
martin martino marten
raymond raimund ramon
dorothy dorothea dorothee
christine kirsten kerstin
margaret margit margarethe
nicholas nikolaus klaus nikolaos nick
james hamish seamus
benjamin beniamino
# Short forms that are given as names of their own
elizabeth elisabeth lisa lise else elsa elsie
maria mia mimi
magdalena lena leni
helena lena leni
katharina ina katinka
ingeborg inge inga
birgitta britta gitte
katrine trine
dorothea dora dorte dorthe
ludwig lutz
lorenz lenz
jean yann yannick
charlotte lotte charlie
henriette jette
matteo teo
teresa maite
josef josip
"""
# Short forms outside English: the name, a colon, its short forms. They stand for one name in daily use.
SHORT_FORMS = """
# Russian, Ukrainian
alexander: sasha sacha shura alex alec
alexandra: sasha alex
dmitri: dima mitya
evgeny: zhenya jenya
evgenia: zhenya jenya
ekaterina: katya katia katja
elena: lena
maria: masha ma
natalia: natasha nata
tatiana: tanya tania tanja
anastasia: nastya nastia
mikhail: misha
nikolai: kolya
vladimir: vova volodya vlad
ivan: vanya
alexei: alyosha
sergei: seryozha
svetlana: sveta
olga: olya
yuri: yura
pavel: pasha
konstantin: kostya
vyacheslav: slava
yaroslav: slava
irina: ira
ludmila: lyuda mila luda
alexei: lyosha lesha
grigory: grisha
stanislav: stas slava
svyatoslav: slava
rostislav: slava
anatoly: tolya
viktor: vitya
vasily: vasya
leonid: lyonya
# German, Dutch
johannes: hans hannes johan jan
johann: hans hannes
friedrich: fritz fred
wilhelm: willi willy
heinrich: heinz heiner
joseph: sepp jupp
maximilian: max maxi
sebastian: basti seb
matthias: matze
christoph: chris stoffel
andreas: andi andy
michael: michi micha
alexander: sascha xander lex
bernhard: bernd
gerhard: gerd gert
ulrich: uli ulli
ulrike: uli ulli rike
ursula: uschi ulla
rudolf: rudi
nikolaus: niko nico
anton: toni
antonia: toni
stefanie: steffi
gabriele: gabi gaby
gabriela: gabi gaby
brigitte: gitte gitta biggi
barbara: baerbel babsi
theresia: resi
friederike: rike
susanne: susi sanne
dorothea: doro
joachim: achim jochen
manfred: manni
siegfried: sigi siggi
angelika: geli
veronika: vroni
magdalena: leni
hildegard: hilde
rosemarie: rosi
friedrich: friedel
margarethe: greta grete
stefan: steffen
katharina: kathi kathrin katrin kati
katharina: kaethe
elisabeth: elli
maria: mitzi
elisabeth: lisbeth liesel sissi
franziska: franzi
johanna: hanna
margarete: grete gretel
wolfgang: wolf
hendrik: henk
willem: wim
cornelis: kees cees
gerrit: gert
antonius: ton toon
theodorus: theo
sebastiaan: bas
antonius: teun
anton: ton
johannes: joop jos
hendrik: rik
pieter: piet
petrus: piet peter
jacobus: jaap koos
nicolaas: klaas nico
matthijs: thijs
bartholomeus: bart
augustinus: guus
elisabeth: els
johanna: hanneke
catharina: toos
# French
frederic: fred
christophe: chris
stephane: steph
stephanie: steph
philippe: phil
nathalie: nath
alexandre: alex
francois: fanfan
emmanuel: manu
emmanuelle: manu
sebastien: seb
veronique: vero
catherine: cathy cath
dominique: dom
benoit: ben
vincent: vince
mickael: mika
jean: jeannot
# Spanish, Portuguese, Italian
jose: pepe pepito ze
francisco: paco pancho curro kiko chico fran
ignacio: nacho
guadalupe: lupe
dolores: lola
concepcion: concha conchita
rosario: charo
enrique: quique kike
jesus: chus chuy
manuel: manolo manu
eduardo: edu lalo
antonio: toni tonio tonino tony
fernando: nando fer
guillermo: memo guille
alejandro: alex ale jandro
alejandra: alex ale
roberto: beto rob
alberto: beto
luis: lucho
pilar: pili
mercedes: merche
montserrat: montse
isabel: isa
beatriz: bea
cristina: cris
javier: javi
francisca: paqui paquita
josefa: pepa
josefina: fina
antonio: tono
alberto: tito
humberto: beto
norberto: beto
roberto: berto
ricardo: richi
vicente: chente
consuelo: chelo
inmaculada: inma
encarnacion: encarna
asuncion: asun
teresa: tere
gerardo: gera
pedro: perico
gonzalo: gonza
nicolas: nico
xavier: xavi
rafael: rafa
gabriel: gabi
daniel: dani
santiago: santi
giuseppe: beppe peppe pino
luigi: gigi
salvatore: toto turi
francesco: franco checco
francesca: franca
domenico: mimmo nico
lorenzo: renzo
vincenzo: enzo
giovanni: gianni nino
alessandro: sandro ale alex
alessandra: ale
federico: fede
federica: fede
filippo: pippo
salvatore: tore
emanuele: lele
gabriele: lele
raffaele: lello
giuseppe: peppino
nicola: nico
edoardo: edo
riccardo: ricky
elisabetta: betta
valentina: vale
# Polish, Czech, Hungarian, Romanian
katarzyna: kasia
malgorzata: gosia malgosia
agnieszka: aga
joanna: asia joasia
tomasz: tomek
krzysztof: krzysiek krzys
jakub: kuba
stanislaw: staszek
andrzej: jedrek
piotr: piotrek
pawel: pawelek
anna: ania anka
barbara: basia
elzbieta: ela
jan: janek
frantisek: franta
josef: pepa
jiri: jirka
istvan: pista
laszlo: laci
erzsebet: zsoka
wojciech: wojtek
zbigniew: zbyszek
jaroslaw: jarek
jaroslav: jarda
stanislaw: stas
katarzyna: kaska
grzegorz: grzesiek
maciej: maciek
aleksandra: ola
magdalena: magda
jan: honza
vaclav: vasek
ondrej: ondra
vojtech: vojta
miroslav: mirek
katalin: kati kata
ferenc: feri
janos: jancsi jani
gyorgy: gyuri
zsuzsanna: zsuzsa
jozsef: jozsi
sandor: sanyi
# Nordic
margareta: greta
kristina: stina
katarina: kajsa
elisabet: lisbet
nils: nisse
bengt: benke
# South Asian abbreviation
mohammed: md
mohammed: mo
# English short forms that the package lacks
alexandra: lexi
christopher: kit
christopher: kris topher
robert: robbie robby
barbara: barb
william: will bill billy liam
elizabeth: liz lizzie beth betty libby eliza
jonathan: jon jonny johnny
joseph: joe joey
"""
# First names usually borne by women, in languages where a surname often changes with marriage. Not complete: a name
# that is missing is judged by its ending (`given_names.usually_female`).
FEMALE = _words("""
# English
mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley
kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura cynthia
kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel
carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly lauren christina
joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa ann sara madison frances kathryn
janice jean abigail alice julia judy sophia grace denise amber doris marilyn danielle beverly isabella theresa
diana natalie brittany charlotte marie kayla alexis lori jane lucy claire chloe zoe fiona gemma hayley leanne
tracy tracey lynn lynne anne ellen eve ivy hazel molly ruby rose lily daisy poppy holly bridget eileen maureen
sheila wendy carrie katie kate jill jenny jo sue kim beth meg peggy tina gina dawn robin kristen kirsten
erin caitlin siobhan niamh aoife jodie kerry becky vicky suzanne yvonne joanne audrey vivian naomi miriam
# French
nathalie isabelle sylvie francoise monique martine brigitte veronique dominique chantal sandrine celine aurelie
emilie camille manon lea elodie melanie virginie delphine florence helene valerie agnes ines solene oceane
juliette margaux mathilde pauline lucie elise corinne pascale laurence josiane odile genevieve marianne simone
# German, Dutch
ursula petra sabine monika birgit heike silke anke antje ulrike gudrun ingrid renate elke ute uta katrin kathrin
karin kerstin anja tanja sonja claudia silvia steffi franziska lena lea leonie annika svenja wiebke astrid
heidi gisela helga hannelore marlies saskia ilse inge maike meike marieke anneke femke sanne lieke esther els
# Nordic
ingrid astrid kristin solveig liv gunhild ragnhild sigrid karin birgitta kerstin elin malin maj mai
ase aase inger hilde hege tove kirsten mette lene pernille helle bente gitte riitta aino sinikka anneli
# Italian, Spanish, Portuguese, Romanian: those that do not end in -a
carmen pilar dolores mercedes rosario consuelo raquel isabel beatriz soledad ines luz noemi rocio irene alice
adele matilde iris ester miriam
# Slavic, Hungarian, Greek, Baltic: those that do not end in -a
ljubov lyubov ildiko eniko agnes judit edit katalin dagmar jarmila
""")
# First names usually borne by men. Among them are the names in -a that are no women's.
MALE = _words("""
# English
james robert john michael david william richard joseph thomas christopher charles daniel matthew anthony mark
donald steven andrew paul joshua kenneth kevin brian timothy ronald george jason edward jeffrey ryan jacob gary
nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory alexander patrick frank raymond
jack dennis jerry tyler aaron jose adam nathan henry zachary douglas peter kyle noah ethan jeremy walter keith
christian roger terry austin sean gerald carl harold dylan arthur lawrence jordan jesse bryan billy bruce gabriel
joe logan alan juan albert willie elijah wayne randy vincent mason roy ralph bobby russell bradley philip eugene
bob bill tom tim jim mike dave steve dan ben sam nick tony fred ted ken ron don phil rob greg jeff matt chris
oliver harry oscar leo simon neil ian stuart graham nigel trevor barry colin craig duncan gavin gareth hugh ewan
# French
jean pierre michel philippe alain nicolas christophe laurent frederic stephane pascal sebastien olivier thierry
bernard didier gerard bruno julien vincent guillaume antoine francois jacques louis marcel andre rene luc yves
yannick loic erwan gilles herve xavier mathieu maxime romain benoit fabrice patrice serge denis remi cedric
# German, Dutch
hans klaus wolfgang jurgen dieter uwe bernd ralf jens jorg stefan andreas matthias markus frank torsten holger
rainer werner heinz horst karl otto kurt ludwig friedrich wilhelm lukas felix jonas finn tobias florian jan piet
kees henk wim joost sven lars niels bram daan sander maarten pieter willem hendrik dirk koen ruud bart geert
# Nordic
lars anders erik nils olaf olav bjorn soren jesper mikkel rasmus henrik mads ole kjell magnus gunnar hakan goran
mikael fredrik johan juha jukka pekka mika ville antti timo jorma pasi esa ilkka veikko
# Italian, Spanish, Portuguese
giuseppe antonio luigi marco luca andrea nicola mattia elia battista gianluca matteo francesco alessandro
giovanni roberto carlo paolo pablo pedro juan carlos jorge miguel luis javier fernando diego sergio alvaro
rafael manuel joao tiago ricardo nuno rui vasco jesus angel borja josema
# Slavic, Hungarian, Greek: short forms of men's names end in -a
ivan dmitri sergei alexei mikhail nikolai andrei vladimir igor oleg pavel piotr krzysztof andrzej tomasz jakub
marek jiri milan zoran goran nikita ilya ilia foma luka sava nikola sasha misha kolya dima vanya kuba bela
attila gyula geza csaba jarda mykola danila kosta kostya costa
# Arabic, Hebrew, Persian, Turkish
mohammed ahmed ali hassan hussein omar yusuf ibrahim khaled mustafa hamza musa isa yahya taha zakaria reza
mehmet mehmed murat kaya mustapha issa moussa jonah ezra joshua yehuda micha shia abba
# South and East Asia, Africa
krishna shiva aditya surya rama raja chandra kenta shota yuta ryota sota kota keita daita hiroya tatsuya kazuya
takuya naoya tetsuya yuya kwame kofi juma barnaba garba musa
""")

# Pairs of the package `nicknames` of which both names are given to children today: a human should look.
RELATED = """
adeline/aline adelaide/adele elaine/eleanor elaine/helena elaine/helen eleanor/helena derrick/eric ernest/ernestine
george/georgine hannah/joanna hannah/johannah hannah/susannah jane/jeanne jane/jessie janet/jessie janet/jeanette
jean/jeanette joan/joanna joan/johannah kendrick/kenneth kendrick/kent kayla/makayla heloise/lois lois/louisa
lois/louise eloise/louise louis/louise luke/luther lucias/luke gretchen/margaret margarita/megan orlando/roland
rosa/rose alexandra/sandra alexandria/sandra sophia/sophronia edwin/edwina emil/emily emeline/emily emeline/emma
casper/jasper cecilia/sheila claire/clara clara/clare claire/clare clarence/clare clarissa/clara clement/clementine
dennis/dennison flora/florence ellen/ella esther/hester alicia/lisa elisa/lisa alexander/alexandria ann/rosann
ann/rosanna ann/roseann ann/roseanna ann/roseanne gwendolyn/wendy laurinda/lawrence nora/eleanor william/wilma
anselm/selma amos/moses annie/stephanie albert/adelbert albert/elbert ellen/eleanor deanne/ann roxanne/ann
andrea/andrew angel/angela anna/ann anna/anne betty/beth carl/charles carol/carrie ellen/helen ellen/helene ellen/lena
emma/emily eve/evelyn eve/genevieve eileen/helen jill/julia julia/julie lea/leanne lisa/melissa carolyn/lynn linda/lynn
michael/miguel mike/miguel jonathan/nathan patrick/peter mary/molly theresa/tracy aaron/ron ben/benoit carolyn/carrie
aaron/erin ian/john ivan/john jane/jean elizabeth/lisa adelaide/heidi ella/helen ella/helena ella/helene
ella/gabrielle lee/shirley ashley/leah ashley/lee elias/lee levi/lee carol/lynn caroline/lynn celinda/lynn
linda/rosalyn melinda/lynn mary/marie hannah/nan marie/rosemary jean/genevieve jane/virginia hannah/susan
cassandra/sandra louise/eliza agnes/inez alice/lisa alicia/elsie amelia/emily charlotte/sherry carol/kara
carol/kari anna/hannah anna/savannah anna/bryanna anna/annette ann/christiana ann/nancy margaret/rita
margaretta/rita margaret/daisy margaretta/daisy danny/sheridan dan/sheridan derek/rick derek/ricky mary/maureen
mary/marilyn mary/marion mary/marsha mary/rosemary mary/mariah mary/marietta maria/mariah maria/marietta
paula/lina micah/michael ann/antonia ann/antoinette mercedes/sadie joshua/joe jerry/geraldine geri/jerry
robert/rupert jack/jackson jack/jacqueline isaac/zeke mitzi/mary john/jonathan john/johnathan john/jonathon
john/johnathon jo/joe
"""

# Pairs of the package `nicknames` that are errors, or were usual in another century only.
NOT_NICKNAMES = """
bill/robert billy/robert bill/fred billy/fred fred/will fred/willie paul/polly bela/william bobby/roger
bobby/rodger dick/melchizedek farmboy/westley ann/nan bob/bert dutch/herman augusta/tina bell/william
helena/nell bill/will
"""
