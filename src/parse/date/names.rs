//! The names of months and weekdays.
//!
//! Pure. A word is compared whole, or as the beginning of a name: a name is never told by its own beginning, by which
//! `maanantai` (Finnish Monday) would be March and `lipnja` (Croatian June) the Polish July. A word that names two months,
//! such as `listopada` (November in Polish, October in Croatian), gives both.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

/// The fewest characters that a name may be shortened to.
const FEWEST: usize = 3;

/// A set of months or weekdays: bit 0 is January or Monday.
pub(super) type Set = u16;

/// The months, January first, by their names and by the abbreviations that are no beginnings of names. Genitives stand for
/// themselves. Letters stand without their accents, as [`folded`] has them.
///
/// A row each: English and the languages of the Latin, Cyrillic, Greek, Arabic, Hebrew and Devanagari scripts that feeds were
/// met in. Thai is left out, whose years are counted from another one.
const MONTHS: [&[&str]; 12] = [
    &[
        "january jan januar jaenner janner janvier januari gennaio gener enero janeiro ianuarie jaanuar tammikuu tammikuuta",
        "stycznia styczen leden ledna sijecanj sijecnja ocak sausio sausis janvaris januar januara",
        "января январь январ сiчня сiчень студзеня януари ιανουαριος ιανουαριου γεναρης",
        "يناير كانون ژانویه ינואר בינואר जनवरी",
    ],
    &[
        "february feb februar fevrier febbraio febrero fevereiro februari febrer februarie veebruar helmikuu helmikuuta",
        "lutego luty unor unora veljaca veljace subat vasario vasaris februaris februara",
        "февраля февраль лютого лютий лютага февруари фебруар φεβρουαριος φεβρουαριου",
        "فبراير شباط فوریه פברואר בפברואר फरवरी फ़रवरी",
    ],
    &[
        "march mar marz maerz mars marzo marco maart mrt mrz maret mac marc martie marts marcius marca marec",
        "marzec brezen brezna ozujak ozujka mart kovo kovas maaliskuu maaliskuuta marta",
        "марта март березня березень сакавiка μαρτιος μαρτιου",
        "مارس آذار מרץ במרץ मार्च",
    ],
    &[
        "april apr avril aprile abril aprilie aprilis aprill huhtikuu huhtikuuta aprila",
        "kwietnia kwiecien duben dubna travanj travnja nisan balandzio balandis",
        "апреля апрель квiтня квiтень красавiка април απριλιος απριλιου",
        "أبريل ابريل إبريل نيسان آوریل אפריל באפריל अप्रैल",
    ],
    &[
        "may mai maj mayo maggio mei maio maig majus toukokuu toukokuuta maja",
        "kveten kvetna svibanj svibnja mayis geguzes geguze maijs",
        "мая май травня травень мая маи маја μαιος μαιου",
        "مايو أيار مه מאי במאי मई",
    ],
    &[
        "june jun juin juni junio giugno junho juny junius iunie juuni kesakuu kesakuuta juna",
        "czerwca czerwiec cerven cervna lipanj lipnja haziran birzelio birzelis junijs junij jun junija",
        "июня июнь червня червень чэрвеня юни јун јуна ιουνιος ιουνιου",
        "يونيو حزيران ژوئن יוני ביוני जून",
    ],
    &[
        "july jul juillet juli julio luglio julho juliol julius iulie juuli heinakuu heinakuuta jula julai",
        "lipca lipiec cervenec cervence srpanj srpnja temmuz liepos liepa julijs julij julija",
        "июля июль липня липень лiпеня юли јул јула ιουλιος ιουλιου",
        "يوليو تموز ژوئیه יולי ביולי जुलाई",
    ],
    &[
        "august aug aout agosto augustus agost elokuu elokuuta augusztus augusti agustus agu ogos avgust",
        "sierpnia sierpien srpen srpna kolovoz kolovoza agustos rugpjucio rugpjutis augusts augusta avgusta",
        "августа август серпня серпень жнiуня αυγουστος αυγουστου",
        "أغسطس آب اوت אוגוסט באוגוסט अगस्त",
    ],
    &[
        "september sep septembre settembre setiembre septiembre setembro setembre septembrie szeptember syyskuu syyskuuta",
        "wrzesnia wrzesien zari rujan rujna eylul rugsejo rugsejis septembris septembra septembar set",
        "сентября сентябрь вересня вересень верасня септември септембар σεπτεμβριος σεπτεμβριου",
        "سبتمبر أيلول سپتامبر ספטמבר בספטמבר सितंबर सितम्बर",
    ],
    &[
        "october oct oktober octobre ottobre octubre outubro octombrie oktoober lokakuu lokakuuta okt",
        "pazdziernika pazdziernik rijen rijna listopad listopada ekim spalio spalis oktobris oktobra oktobar",
        "октября октябрь жовтня жовтень кастрычнiка октомври октобар οκτωβριος οκτωβριου",
        "أكتوبر تشرين اکتبر אוקטובר באוקטובר अक्टूबर",
    ],
    &[
        "november nov novembre noviembre novembro noiembrie marraskuu marraskuuta",
        "listopada listopad studeni studenoga studenog kasim lapkricio lapkritis novembris novembra novembar",
        "ноября ноябрь листопада листопад лiстапада ноември новембар νοεμβριος νοεμβριου",
        "نوفمبر نوامبر נובמבר בנובמבר नवंबर नवम्बर",
    ],
    &[
        "december dec dezember decembre dicembre diciembre dezembro desember desembre decembrie detsember",
        "joulukuu joulukuuta grudnia grudzien prosinec prosince prosinac prosinca aralik gruodzio gruodis decembris disember decembra decembar",
        "декабря декабрь грудня грудень снежня декември децембар δεκεμβριος δεκεμβριου",
        "ديسمبر دسامبر דצמבר בדצמבר दिसंबर दिसम्बर",
    ],
];

/// The weekdays, Monday first, as [`MONTHS`].
const WEEKDAYS: [&[&str]; 7] = [
    &[
        "monday montag lundi lunes lunedi maandag mandag mandag segunda dilluns luni esmaspaev maanantai maanantaina",
        "poniedzialek pondeli pondelok ponedeljak ponedeljek pazartesi hetfo pirmadienis pirmdiena senin isnin",
        "понедельник понедiлок панядзелак понеделник δευτερα",
        "الاثنين الإثنين دوشنبه שני सोमवार",
    ],
    &[
        "tuesday dienstag mardi martes martedi dinsdag tirsdag tisdag terca dimarts marti teisipaev tiistai tiistaina",
        "wtorek utery utorok utorak torek sali kedd antradienis otrdiena selasa",
        "вторник вiвторок аўторак τριτη",
        "الثلاثاء سهشنبه שלישי मंगलवार",
    ],
    &[
        "wednesday mittwoch mercredi miercoles mercoledi woensdag onsdag quarta dimecres miercuri kolmapaev keskiviikko",
        "keskiviikkona sroda streda srijeda sreda carsamba szerda treciadienis tresdiena rabu",
        "среда середа серада сряда τεταρτη",
        "الأربعاء الاربعاء چهارشنبه רביעי बुधवार",
    ],
    &[
        "thursday thurs donnerstag jeudi jueves giovedi donderdag torsdag quinta dijous joi neljapaev torstai torstaina",
        "czwartek ctvrtek stvrtok cetvrtak cetrtek persembe csutortok ketvirtadienis ceturtdiena kamis khamis",
        "четверг четвер чацвер четвъртък πεμπτη",
        "الخميس پنجشنبه חמישי गुरुवार",
    ],
    &[
        "friday freitag vendredi viernes venerdi vrijdag fredag sexta divendres vineri reede perjantai perjantaina",
        "piatek patek piatok petak petek cuma pentek penktadienis piektdiena jumat jumaat",
        "пятница ятниця пятнiца петък παρασκευη",
        "الجمعة جمعه שישי शुक्रवार",
    ],
    &[
        "saturday samstag sonnabend samedi sabado sabato zaterdag lordag lauantai lauantaina dissabte sambata laupaev",
        "sobota subota cumartesi szombat sestadienis sestdiena sabtu sabtu",
        "суббота субота субота събота σαββατο",
        "السبت شنبه שבת शनिवार",
    ],
    &[
        "sunday sonntag dimanche domingo domenica zondag sondag sunnuntai sunnuntaina diumenge duminica puhapaev",
        "niedziela nedele nedela nedjelja nedelja pazar vasarnap sekmadienis svetdiena minggu ahad",
        "воскресенье недiля нядзеля неделя κυριακη",
        "الأحد یکشنبه ראשון रविवार",
    ],
];

/// The months and the weekdays that a word may name.
pub(super) fn named(word: &str) -> (Set, Set) {
    // Nearly every date of a feed is one of RFC 822: what its words name is found once.
    const USUAL: [&str; 19] = [
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
        "oct", "nov", "dec",
    ];
    static NAMED: LazyLock<[(Set, Set); USUAL.len()]> =
        LazyLock::new(|| USUAL.map(|word| (months(word), weekdays(word))));
    let usual = USUAL.iter().position(|usual| usual.eq_ignore_ascii_case(word));
    usual.and_then(|at| NAMED.get(at).copied()).unwrap_or_else(|| (months(word), weekdays(word)))
}

/// The months that a word may name.
fn months(word: &str) -> Set {
    static NAMES: LazyLock<BTreeMap<String, Set>> = LazyLock::new(|| index(&MONTHS));
    find(&NAMES, word)
}

/// The weekdays that a word may name.
fn weekdays(word: &str) -> Set {
    static NAMES: LazyLock<BTreeMap<String, Set>> = LazyLock::new(|| index(&WEEKDAYS));
    find(&NAMES, word)
}

/// Whether it is a letter of a name, or a mark on one.
pub(super) fn is_letter(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '\u{300}'..='\u{36f}' | '\u{93c}' | '\u{94d}' | '\u{200c}')
}

fn index(table: &[&[&str]]) -> BTreeMap<String, Set> {
    let mut names: BTreeMap<String, Set> = BTreeMap::new();
    for (number, rows) in table.iter().enumerate() {
        for name in rows.iter().flat_map(|row| row.split(' ')) {
            *names.entry(folded(name)).or_default() |= 1 << number;
        }
    }
    names
}

fn find(names: &BTreeMap<String, Set>, word: &str) -> Set {
    let word = folded(word);
    if let Some(set) = names.get(&word) {
        return *set;
    }
    if word.chars().count() < FEWEST {
        return 0;
    }
    let begun = names.range(word.clone()..).take_while(|(name, _)| name.starts_with(&word));
    begun.fold(0, |all, (_, set)| all | set)
}

/// The word in lower case without accents, so that `fevrier` and `MÄRZ` are found.
fn folded(word: &str) -> String {
    let bare = word.nfd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}' | '\u{93c}' | '\u{200c}'));
    bare.flat_map(char::to_lowercase)
        .map(|c| match c {
            // The dotless i, and the Cyrillic one.
            '\u{131}' | '\u{456}' => 'i',
            'ł' => 'l',
            'ø' => 'o',
            'ς' => 'σ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u16]) -> Set {
        numbers.iter().fold(0, |all, number| all | 1 << (number - 1))
    }

    #[test]
    fn a_month_is_told_by_its_name_or_the_beginning_of_one() {
        for (word, expected) in [
            ("May", &[5][..]),
            ("sept", &[9]),
            ("März", &[3]),
            ("MÄR", &[3]),
            ("mar", &[3]),
            ("marras", &[11]),
            ("août", &[8]),
            ("fevr", &[2]),
            ("jui", &[6, 7]),
            ("Oca", &[1]),
            ("KASIM", &[11]),
            ("lipnja", &[6]),
            ("lipca", &[7]),
            ("lip", &[6, 7]),
            ("listopada", &[10, 11]),
            ("června", &[6]),
            ("července", &[7]),
            ("červ", &[6, 7]),
            ("марта", &[3]),
            ("Ιούλ", &[7]),
            ("липня", &[7]),
            ("січня", &[1]),
            ("ديسمبر", &[12]),
            ("בינואר", &[1]),
            ("maanantai", &[]),
            ("marți", &[3]),
            ("ma", &[]),
            ("Uhr", &[]),
            ("de", &[]),
            ("Thursday", &[]),
        ] {
            assert_eq!(months(word), set(expected), "{word}");
        }
    }

    #[test]
    fn no_full_name_of_a_weekday_is_taken_for_a_month_but_one() {
        for name in WEEKDAYS.iter().flat_map(|rows| rows.iter()).flat_map(|row| row.split(' ')) {
            // `marti` is the Romanian Tuesday and the beginning of the Romanian March; `words` settles which.
            assert!(months(name) == 0 || name == "marti", "{name}");
            assert_ne!(weekdays(name), 0, "{name}");
        }
        assert_eq!(weekdays("mar"), set(&[2]));
        assert_eq!(weekdays("sab"), set(&[6]));
        assert_eq!(weekdays("Nov"), 0);
    }

    #[test]
    fn every_month_is_found_by_every_name_that_it_has_and_by_no_other_row() {
        const TWO: &[&str] = &["listopad", "listopada"];
        for (number, rows) in MONTHS.iter().enumerate() {
            for name in rows.iter().flat_map(|row| row.split(' ')) {
                let found = months(name);
                assert!(found == 1 << number || TWO.contains(&name), "{name}: {found:b}");
            }
        }
    }
}
