# ruff: noqa: RUF001 - letters of other scripts
"""How tasks in other languages ask for more than text: the usual phrases, as narrow patterns for lower-case text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DE = (
    r"(?:bild|bilder|foto|fotos|fotografie|abbildung(?:en)?|grafik(?:en)?|diagramm(?:e|s)?|schaubild|zeichnung|videos?|"
    r"videoclip|audiodatei|audio|tonaufnahme|aufnahme|karte|landkarte|skizze|screenshot|gemälde|karikatur)"
)
_FR = (
    r"(?:images?|photos?|photographies?|vidéos?|graphiques?|schémas?|dessins?|diagrammes?|cartes?|illustrations?|figures?|"
    r"enregistrements?|audios?|captures? d'écran)"
)
_ES = (
    r"(?:im[aá]gen(?:es)?|fotos?|fotograf[ií]as?|v[ií]deos?|gr[aá]fic[oa]s?|diagramas?|dibujos?|mapas?|ilustraci[oó]n|"
    r"figuras?|audios?|grabaci[oó]n|captura de pantalla)"
)
_PT = (
    r"(?:imagem|imagens|fotos?|fotografias?|v[ií]deos?|gr[aá]ficos?|diagramas?|desenhos?|mapas?|ilustraç(?:ão|ões)|"
    r"figuras?|áudios?|gravação|captura de tela)"
)
_IT = (
    r"(?:immagin[ei]|foto|fotografi[ae]|video|grafic[oi]|diagramm[ai]|disegn[oi]|mapp[ae]|illustrazion[ei]|figur[ae]|"
    r"audio|registrazion[ei]|screenshot)"
)
_RU = (
    r"(?:изображени[еяию]|картинк[аиеу]|фото|фотографи[яиюей]|видео|рисун(?:ок|ка|ке)|график[еа]?|диаграмм[аыеу]|"
    r"схем[аыеу]|файл[ае]?)"
)
_ZH = (
    r"(?:图片|圖片|图像|圖像|照片|图表|圖表|插图|插圖|截图|截圖|视频|視頻|影片|音频|音頻|录音|錄音|漫画|漫畫|地图|地圖|"
    r"图|圖)"
)
_JA = r"(?:画像|写真|動画|映像|ビデオ|音声|録音|グラフ|イラスト|図表|図(?![書鑑案])|地図|スクリーンショット|ファイル)"

_WORDS = [
    # German
    r"(?:das|dem|der|die|den|diese[mnrs]?|eine?m?) (?:angehängte|beigefügte|beiliegende|hochgeladene)[nrms]? "
    rf"(?:{_DE}|datei(?:en)?|dokument|pdf)\b",
    rf"(?:folgende|obige|untenstehende|nachstehende|gezeigte|abgebildete)[nrms]? {_DE}\b",
    rf"{_DE} (?:unten|oben|im anhang)\b",
    r"(?:im|auf dem|auf diesem|in diesem) (?:bild|foto|video|diagramm|schaubild|screenshot)(?! von)\b",
    r"(?:zum|zu dem|zu den|auf den|anhand des) (?:bild|bildern|bildes|fotos?|video)\b(?! von)",
    r"(?:öffne|öffnen sie|folge|folgen sie) (?:den|dem|die) (?:link|webseite|website|datei|anhang)\b",
    r"(?:in|auf) (?:der|dieser) (?:abbildung|grafik|zeichnung)\b(?! von)",
    r"diese[sm] (?:bild|foto|video|diagramm|gemälde)\b",
    r"(?:sieh|schau|seht|schaut|sehen sie|schauen sie|höre?|hören sie) (?:dir|euch|sich) "
    rf"(?:\w{{1,20}} )?{_DE}\b",
    r"(?:beschreibe|beschreiben sie|erkläre|erklären sie|analysiere|interpretiere|vergleiche|was zeigt) "
    rf"(?:das|die|den) {_DE}(?=\W*$|[.,!?]| (?:und|genau|in)\b)",
    r"(?:klicke?|klicken sie) (?:auf )?(?:den|hier|diesen)\b",
    # French
    rf"(?:l'|la |le |les |cette |ce |ces )(?:{_FR}|fichier|document|pdf) (?:ci-dessous|ci-dessus|(?:ci-)?jointe?s?|"
    r"suivante?s?|fournie?s?|affichée?s?)\b",
    r"pièces? jointes?\b",
    r"(?:sur|dans) (?:l'|la |le |les |cette |ce |ces )(?:image|photo|vidéo|dessin|graphique|figure|illustration)s?\b"
    r"(?! (?:d[eu]\b|d'|publique|corporelle))",
    r"(?:à partir de|d'après) (?:l'|la |cette |ces |les )(?:image|photo|vidéo|illustration)s?\b(?! d)",
    r"(?:ouvre|ouvrez|suis|suivez) le (?:lien|fichier|document)\b",
    r"(?:cette|ces) (?:image|photo|vidéo|illustration|photographie)s?\b|ce (?:graphique|schéma|dessin|diagramme)\b",
    r"(?:regarde|regardez|observe|observez|examine|examinez) (?:bien )?"
    rf"(?:l'|la |le |les |cette |ce |ces ){_FR}\b",
    r"(?:écoute|écoutez) (?:l'|la |le |cette |cet |ce )(?:audio|enregistrement|chanson|extrait|musique)\b",
    r"(?:décris|décrivez|analysez?|expliquez?|commentez?|interprétez?|que (?:montre|représente)) (?:l'|la |le |les )"
    rf"{_FR}(?=\W*$|[.,!?]| (?:et|en)\b)",
    r"(?:clique|cliquez|cliquer) (?:sur (?:le|ce)|ici)\b",
    # Spanish
    rf"(?:la|las|el|los|esta|este|estas|estos) (?:{_ES}|archivo|documento) (?:adjunt[oa]s?|siguientes?|de abajo|"
    r"de arriba|mostrad[oa]s?|proporcionad[oa]s?|a continuación)\b",
    rf"(?:siguientes?|adjunt[oa]s?) {_ES}\b|archivo adjunto\b",
    r"en (?:la|las|esta|estas) (?:imagen|imágenes|fotos?|fotografía)\b"
    r"(?! (?:del?|p[uú]blica|corpor\w+|personal)\b)",
    r"de la (?:foto|fotografía)(?=\W*$)|"
    r"basad[oa]s? en (?:la|esta|el|este) (?:imagen|foto|fotografía|v[ií]deo|gráfico)\b",
    r"(?:abre|abra|sigue|visita) (?:el|este) (?:enlace|archivo|link)\b",
    r"(?:esta|estas) (?:imagen|imágenes|fotos?|fotografía|gráfica)\b|"
    r"este (?:v[ií]deo|gráfico|diagrama|dibujo|audio)\b",
    rf"(?:mira|mire|miren|observa|observe|observen|examina|examine) (?:bien )?(?:la|el|las|los|esta|este) {_ES}\b",
    r"(?:escucha|escuche|escuchen) (?:la|el|esta|este) (?:audio|canción|grabación|música)\b",
    rf"(?:describ[ea]|expli(?:ca|que)|anali(?:za|ce)|interpret[ae]|qué muestra) (?:la|el|las|los) {_ES}"
    r"(?=\W*$|[.,!?]| y\b)",
    r"(?:haz|haga|hacer) clic\b",
    # Portuguese
    rf"(?:a|o|as|os|na|no|da|do|esta|este|essa|esse) (?:{_PT}|arquivo|ficheiro|documento) (?:abaixo|acima|"
    r"anex(?:ad)?[oa]s?|a seguir|seguintes?|mostrad[oa]s?|fornecid[oa]s?)\b",
    rf"seguintes? {_PT}\b",
    r"(?:na|nas|nesta|nessa|desta|dessa|esta|essa) (?:imagem|imagens|fotos?|fotografia)\b"
    r"(?! (?:d[eoa]|p[uú]blica|corpor\w+|pessoal)\b)",
    r"(?:abra|acesse|visite) (?:o|este) (?:link|arquivo|site)\b",
    r"(?:este|esse|neste|nesse) (?:v[ií]deo|gráfico|diagrama|desenho|áudio)\b",
    rf"(?:olhe|observe|veja|examine|analise) (?:bem )?(?:para )?(?:a|o|as|os|esta|este) {_PT}\b(?! d[eoa]\b)",
    r"(?:assista|assistir) (?:ao?|este|esse) (?:v[ií]deo|filme)\b|"
    r"(?:ouça|escute) (?:a|o|este|esta) (?:áudio|música|gravação)\b",
    rf"(?:descrev[ae]|expli(?:que|ca)|analis[ea]|interpret[ea]|o que mostra) (?:a|o|as|os) {_PT}(?=\W*$|[.,!?]| e\b)",
    r"clique (?:no|na|aqui|em)\b",
    # Italian
    rf"(?:{_IT}|file|documento) (?:qui sotto|sottostant[ei]|allegat[oaie]|seguent[ei]|sopra|in basso|mostrat[oaie]|"
    r"fornit[oaie])\b",
    rf"seguent[ei] {_IT}\b",
    r"(?:nell'immagine|nella foto|nel video|nel disegno|nella figura)\b(?! (?:d[ei]\b|del|pubblica|corporea))",
    r"(?:sull'immagine|sulla foto)\b(?! d)|(?:apri|aprite|segui) il (?:link|file)\b",
    r"questa (?:immagine|foto|fotografia)\b|questo (?:video|grafico|diagramma|disegno|audio)\b",
    r"(?:guarda|guardate|guardi|osserva|osservate|osservi|esamina) (?:bene )?"
    rf"(?:l'|la |il |le |quest[aeo] ){_IT}\b",
    r"(?:ascolta|ascoltate|ascolti) (?:l'|la |il |quest[aeo] )(?:audio|canzone|registrazione|musica|brano)\b",
    r"(?:descrivi|descrivete|spiega|spiegate|analizza|interpreta|cosa mostra) (?:l'|la |il |le |i )"
    rf"{_IT}(?=\W*$|[.,!?]| (?:e|in)\b)",
    r"(?:clicca|cliccate|fai clic|fate clic) (?:sul|qui|su)\b",
    # Russian
    r"на (?:(?:эт|данн|приложенн|прикрепл[её]нн)(?:ой|ом) )?"
    r"(?:картинке|изображении|фото|фотографии|рисунке|графике|видео|схеме)\b",
    r"(?:следующ|прикрепл[её]нн|приложенн|данн|эт)(?:ое|ую|ая|ом|ой|ий|ый|ем|ей|о|у|от|их|ие|ые) "
    rf"{_RU}\b",
    rf"посмотри(?:те)? (?:на )?(?:это |эту |этот )?{_RU}\b",
    rf"(?:опиши|объясни|сравни)(?:те)? {_RU}(?=\W*$|[.,!?])",
    r"(?:нажми|кликни)(?:те)? на\b|перейди(?:те)? по ссылке\b",
]
"""At the beginning of a word."""

_ORDERS = [
    # German
    rf"(?:betrachte|betrachten sie) (?:das|die|den) {_DE}\b",
    r"(?:zeichne|zeichnen sie|skizziere|male)(?: (?:mir|bitte))? (?:ein|eine|einen|das|die|den|dein|deine|deinen)\b"
    r"(?! (?:bild der|unterschied|vergleich|weg|verlauf|entwicklung|geschichte|linie|parallele))",
    r"(?:erstelle|generiere|erzeuge|gestalte|entwirf)(?: mir)? (?:ein|eine|einen) (?:\w{1,20} )?"
    r"(?:bild|foto|video|logo|grafik|zeichnung|gemälde)\b",
    r"(?:mache?|nimm|schieße?|machen sie) (?:ein|einen|eine) (?:foto|selfie|video|screenshot|bild)\b",
    r"(?:gehe?|fahre?|gehen sie) (?:zum|zur|in den|in die|ins|auf die) "
    r"(?!.{0,200}\bein(?:[.,;!]|$| und\b)|tiefe|details?\b|einzelheiten)",
    # French
    r"(?:dessine|dessinez|dessiner|peins|peignez)(?:[- ]moi)? (?:une?|le|la|les|des|ton|votre)\b",
    r"(?:crée|créez|créer|génère|générez|générer)(?: moi)? une? (?:image|photo|vidéo|logo|dessin|illustration)\b",
    r"(?:prends|prenez|prendre) (?:une|en) photo\b|(?:enregistre|enregistrez) (?:une? )?(?:vidéo|audio|message vocal)",
    r"(?:va|allez) (?:au|à la|à l'|chez|sur le site)\b",
    # Spanish
    r"(?:dibuja|dibuje|dibújame|pinta|pinte)(?:me)? (?:una?|el|la|los|las|tu|su)\b",
    r"(?:crea|cree|genera|genere|diseña|diseñe|haz)(?:me)? una? "
    r"(?:imagen|foto|v[ií]deo|logo|logotipo|dibujo|ilustración)\b",
    r"(?:toma|tome|haz|haga|saca|saque) una (?:foto|fotografía|selfie)\b|"
    r"grab[ae] un (?:v[ií]deo|audio)\b",
    r"(?:ve|vaya|vayan) (?:a la|al|a una?) ",
    # Portuguese
    r"(?:desenhe|desenha|pinte) (?:uma?|o|a|os|as|seu|sua)\b",
    r"(?:crie|gere|cria|faça) uma? (?:imagem|foto|v[ií]deo|logotipo|logo|desenho|ilustração)\b",
    r"tire uma (?:foto|selfie|fotografia)\b|(?:grave|filme) um (?:v[ií]deo|áudio)\b",
    r"vá (?:ao|à|até|para o|para a) ",
    # Italian
    r"(?:disegna|disegnami|disegnate|dipingi) (?:un|uno|una|un'|il|lo|la|le|i)\b",
    r"(?:crea|genera|realizza) (?:un'|una |un )(?:immagine|foto|video|logo|disegno|illustrazione)\b",
    r"(?:scatta|fai) una foto\b|registra un (?:video|audio)\b",
    r"(?:vai|andate|vada) (?:al|alla|allo|all'|in un) ?",
    # Russian
    r"(?:нарисуй|сфотографируй|запиши видео|снимите? видео)(?:те)?\b",
]
"""At the beginning of a sentence."""

_ANYWHERE = [
    # Chinese
    r"如[图圖](?:所示|\d|中|，|,|$)|[下上附左右][图圖](?![书書])|(?<![地蓝藍版企意试試力宏])[图圖](?:中|里|裡)(?!文)|"
    r"看[图圖](?:写|寫|说|說|回答|编|編)",
    r"(?:(?:下面|上面|以下|下列|附件|给出|給出|给定|給定|所附|附上|提供|上传|上傳)的?[这這]?[张張幅个個段]?|"
    r"[这這][张張幅段])"
    rf"{_ZH}(?!书|書|标题|標題|说明|說明|数据库|論|论)",
    r"(?:图片|圖片|照片|图像|圖像)[中里裡]|这[张幅][画图]|這[張幅][畫圖]",
    r"(?:视频|視頻|影片|录音|錄音)[中里裡](?:的|有|是|显示|顯示|所|出现|，|？|\?)",
    r"(?:描述|解释|解釋|分析|说明|說明|比较|比較)(?:图片|圖片|照片|图像|圖像|视频|視頻|图表|圖表)(?:$|[。，,.中里裡的])|"
    r"根据(?:图片|照片|图表|漫画)|根據(?:圖片|照片|圖表|漫畫)|附件[中里裡]|附件的[内內]容|[听聽]录音|聽錄音",
    r"(?:观看|觀看|看一?下?|听一?下?|聽一?下?)(?:[这這该該]|以下|下面)的?[个個段首部]?"
    r"(?:视频|視頻|影片|录音|錄音|音频|音頻|歌曲|电影|電影)",
    r"(?:^|[。！？；：,，. ])[请請]?[你您]?(?:帮我|幫我|给我|給我)?(?:画|畫|绘制|繪製)[出一个個幅张張只隻]",
    r"(?:生成|创作|創作|制作|製作|创建|創建|绘制|繪製|设计|設計)一?[张張幅个個][^。！？，]{0,16}?"
    r"(?:图片|圖片|图像|圖像|照片|插图|插圖|插画|插畫|漫画|漫畫|标志|logo)(?![标標說说描书書故配])",
    r"(?:点击|點擊|打开|打開)(?:[这這该該]|以下|下面|下方|上面)?的?[个個]?(?:链接|連結|鏈接|按钮|按鈕|附件)",
    r"(?:^|[。！？；：,，. ])[请請]?[你您]?(?:拍摄?|拍攝|录制?|錄製?)[一张張个個段]",
    r"(?:^|[。！？；：,，. ])[请請]?[你您]?去(?:商店|超市|图书馆|圖書館|银行|銀行|公园|公園|附近)",
    # Japanese
    rf"(?:下|次|上|以下|右|左|添付|提示された|与えられた|示された)(?:の|した|された)?{_JA}(?:[のをはにでが、と]|から|より)",
    r"この(?:画像|写真|動画|映像|ビデオ|音声|録音|グラフ|イラスト|図(?![書鑑案])|地図)",
    r"(?:画像|写真|動画|ビデオ|(?<![地意])図|絵|グラフ)(?:の中|に写|に映|に何|を見て|を見なが|を観て|を視聴)|(?<![地意])図(?:のよう|に示|\d)|"
    r"(?:音声|録音|曲)を聞い|(?:^|[、。！？ ])(?:画像|写真|動画|図|イラスト|音声)(?:を|について)(?:説明|描写|要約)",
    r"(?:絵|イラスト|(?<!意)図|似顔絵|地図|グラフ|マンガ|漫画)を(?:描いて|かいて|書いて)(?:ください|下さい|くれ|ほしい|みて|[。！]|$)",
    r"(?:写真|動画|自撮り|ビデオ)を(?:撮って|撮影して|録画して)(?:ください|下さい|くれ|みて|[、。]|$)|リンクをクリック",
    r"(?:画像|写真|イラスト|ロゴ|動画)を(?:生成|作成|デザイン|作って)(?:して)?(?:ください|下さい|くれ|。|$)",
    r"(?:店|スーパー|図書館|公園|コンビニ)[にへ]行って(?:、|ください|買|[^いた]{0,8}ください)",
    # Korean
    r"(?:아래|위|다음|첨부된|첨부한|주어진|이)\s?(?:의 )?"
    r"(?:그림|사진|이미지|동영상|영상|비디오|그래프|차트|지도|도표|녹음|파일)(?:에서|[을를은는이가에의\s]|$)",
    r"(?:그림|사진|이미지|영상)(?:에서| 속|에 (?:있는|보이는|나온)|을 보고|를 보고)|(?:그림|그래프|지도)[을를] 그려|"
    r"사진을 찍어|(?:동영상|영상|비디오)[을를] (?:촬영|녹화)|링크를 클릭",
]
"""In scripts without spaces, and in Korean."""

_SPACED = re.compile(
    rf"\b(?:{'|'.join(_WORDS)})|(?:^|[.!?;:] )(?:[^\W\d_]{{1,20}},? )?(?:{'|'.join(_ORDERS)})"  # a word: "please"
)
_UNSPACED = re.compile("|".join(_ANYWHERE))
_IS_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def phrases_of_other_languages(text: str) -> Iterator[re.Match[str]]:
    """Where a text asks for more than text in German, French, Spanish, Portuguese, Italian, Russian or in East Asia."""
    yield from _SPACED.finditer(text)
    if not text.isascii() and _IS_EAST_ASIAN.search(text):
        yield from _UNSPACED.finditer(text)
