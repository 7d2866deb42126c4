//! Statements are cut as the client cuts them, and only what is on the list passes.

use proptest::prelude::*;

use super::*;
use crate::error::ArchiveError;

fn statements(dump: &[u8]) -> Vec<Statement> {
    let mut splitter = Splitter::new(dump);
    let mut found = Vec::new();
    while let Some(statement) = splitter.next_statement().unwrap() {
        found.push(statement);
    }
    found
}

fn texts(dump: &str) -> Vec<String> {
    let found = statements(dump.as_bytes());
    found.into_iter().map(|s| String::from_utf8(s.text).unwrap()).collect()
}

fn judged(dump: &str, rules: Rules) -> Result<Vec<String>, ArchiveError> {
    let mut judge = Judge::new(rules);
    let mut ran = Vec::new();
    for statement in statements(dump.as_bytes()) {
        match judge.judge(&statement)? {
            Verdict::Run(run) => ran.push(String::from_utf8(run.sql.into_owned()).unwrap()),
            Verdict::Ignored => {}
            Verdict::Left(what) => ran.push(format!("left: {what}")),
        }
    }
    Ok(ran)
}

fn refused(statement: &str) -> String {
    judged(statement, Rules::default()).unwrap_err().to_string()
}

#[test]
fn statements_end_where_the_client_ends_them() {
    assert_eq!(
        texts("a ';' b;\n-- c;\nd \"\\\";\" e; # f;\n/* g; */ h `;` i;\nj"),
        ["a ';' b", "-- c;\nd \"\\\";\" e", "# f;\n/* g; */ h `;` i", "j"]
    );
    assert_eq!(texts("a 'x''y;' ; b '\\\\';c"), ["a 'x''y;' ", "b '\\\\'", "c"]);
    assert_eq!(texts("a--1;b - -2;c"), ["a--1", "b - -2", "c"]);
    assert_eq!(texts(";;\n -- nothing\n;"), Vec::<String>::new());
    assert_eq!(
        texts("a;\nDELIMITER ;;\nb; c;;\ndelimiter ;\nd;"),
        ["a", "b; c", "d"],
        "a trigger's body"
    );
}

#[test]
fn a_statement_knows_its_line() {
    let found = statements(b"a;\n\n-- x\nb;\nc 'l\nm';d");
    let lines: Vec<u64> = found.iter().map(|statement| statement.line).collect();
    assert_eq!(lines, [1, 3, 5, 6]);
}

#[test]
fn a_text_that_is_not_closed_is_an_error() {
    let mut splitter = Splitter::new(&b"a 'b"[..]);
    assert!(splitter.next_statement().is_err());
}

proptest! {
    /// However the stream is cut into pieces, the statements are the same.
    #[test]
    fn pieces_do_not_matter(
        parts in prop::collection::vec(
            prop_oneof![
                Just("'a;\\'b'"), Just("`x;y`"), Just(";"), Just("-- c;\n"), Just("/* ; */"),
                Just("word "), Just("\n"), Just("\"q;\""), Just("- "), Just("/"), Just("#x\n"),
            ],
            0..40,
        ),
        size in 1..9_usize,
    ) {
        struct Slow<'a>(&'a [u8], usize);
        impl std::io::Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = self.1.min(self.0.len()).min(buffer.len());
                let (now, later) = self.0.split_at(count);
                buffer[..count].copy_from_slice(now);
                self.0 = later;
                Ok(count)
            }
        }
        let dump = parts.concat();
        let mut splitter = Splitter::new(Slow(dump.as_bytes(), size));
        let mut found = Vec::new();
        while let Some(statement) = splitter.next_statement().unwrap() {
            found.push(statement);
        }
        prop_assert_eq!(found, statements(dump.as_bytes()));
    }

    #[test]
    fn no_bytes_make_the_judge_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut judge = Judge::new(Rules { foreign: true, ..Rules::default() });
        for begin in [&b""[..], b"INSERT INTO t VALUES (", b"CREATE TABLE t (", b"/*!40101 SET "] {
            let text = [begin, &bytes].concat();
            let _ = judge.judge(&Statement { text, line: 1 });
        }
    }
}

#[test]
fn a_dump_of_mariadb_passes() {
    let dump = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n\
        /*!40101 SET NAMES utf8mb4 */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n\
        DROP TABLE IF EXISTS `wp_options`;\n\
        /*!40101 SET character_set_client = utf8 */;\n\
        CREATE TABLE `wp_options` (\n `option_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,\n\
        `key` varchar(191) DEFAULT 'a,b(', PRIMARY KEY (`option_id`), KEY `k` (`key`(10))\n\
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;\n\
        LOCK TABLES `wp_options` WRITE;\n/*!40000 ALTER TABLE `wp_options` DISABLE KEYS */;\n\
        INSERT INTO `wp_options` VALUES\n(1,'it\\'s; (fine)'),(2,NULL),(-3,0xFF),(4,_binary 'x');\n\
        UNLOCK TABLES;\n-- Dump completed\n";
    let ran = judged(dump, Rules::default()).unwrap();
    assert_eq!(ran.len(), 2, "{ran:?}");
    assert!(ran[0].starts_with("CREATE TABLE `wp_options` ("), "{}", ran[0]);
    assert!(ran[0].contains("DEFAULT 'a,b('") && ran[0].contains("KEY `k` ( `key` ( 10))"));
    assert!(ran[1].starts_with("INSERT INTO `wp_options` VALUES\n(1,'it\\'s"), "{}", ran[1]);
}

#[test]
fn what_is_not_on_the_list_is_refused_with_its_line() {
    let error = judged("SET a=1;\n\nGRANT ALL ON *.* TO x;", Rules::default()).unwrap_err();
    assert!(matches!(&error, ArchiveError::Sql { line: 3, .. }), "{error}");
    for bad in [
        "\\! rm -rf /",
        "source /etc/passwd",
        "system id",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "INSERT INTO t SELECT * FROM mysql.user",
        "INSERT INTO t VALUES (LOAD_FILE('/etc/passwd'))",
        "INSERT INTO t VALUES ((SELECT 1))",
        "INSERT INTO t VALUES (@@version)",
        "INSERT INTO t VALUES (SLEEP(1))",
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=SLEEP(9)",
        "INSERT INTO t VALUES (1) /*! , (SLEEP(9)) */",
        "INSERT INTO t VALUES (1/*!+SLEEP(9)*/)",
        "INSERT INTO mysql.t VALUES (1)",
        "INSERT INTO t SET a=1",
        "CREATE TABLE t LIKE u",
        "CREATE TABLE t (a int) SELECT 1",
        "CREATE TABLE t (a int) ENGINE=FEDERATED CONNECTION='x'",
        "CREATE TABLE t (a int) DATA DIRECTORY='/tmp'",
        "CREATE TABLE mysql.t (a int)",
        "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES other.t (a))",
        "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES other /**/ . `t` (a))",
        "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES 1other.t (a))",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES other.t (a)",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES 1other.t (a)",
        "CREATE TABLE t (a int default (1 --\u{1}'\n+ 2)); DO SLEEP(1); -- ')",
        "CREATE TABLE t (a int default (1 \u{7f} 2))",
        "CREATE TABLE t (a int) /*!40101 COMMENT='*/; DO SLEEP(1) ; -- '",
        "CREATE USER x",
        "ALTER TABLE t RENAME u",
        "ALTER TABLE t DROP COLUMN a",
        "UPDATE t SET a=1",
        "DELETE FROM t",
        "TRUNCATE t",
        "CALL p()",
        "/*!50003 CALL p() */",
        "/*!GRANT ALL ON *.* TO x */",
        "PREPARE s FROM 'x'",
        "HANDLER t OPEN",
        "SET sql_mode='NO_BACKSLASH_ESCAPES'",
        "SHUTDOWN",
        "USE a; USE b",
    ] {
        assert!(refused(bad).contains("not taken from a dump"), "{bad}");
    }
}

#[test]
fn what_nobody_needs_is_ignored_and_what_somebody_may_miss_is_told() {
    let dump = "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ \
        /*!50003 TRIGGER `tr` BEFORE INSERT ON `t` FOR EACH ROW BEGIN SET @a=1; CALL p(); END */;;\n\
        DELIMITER ;\n\
        /*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n\
        /*!50001 VIEW `v` AS select 1 AS `1` */;\nSTART TRANSACTION;\nCOMMIT;\nUSE x;";
    assert_eq!(judged(dump, Rules::default()).unwrap(), ["left: trigger tr", "left: view v"]);
}

#[test]
fn tables_of_other_servers_become_the_platforms() {
    let rules = || Rules { foreign: true, ..Rules::default() };
    let ran = judged(
        "CREATE TABLE `a` (`type` int, `b` text CHARACTER SET latin1 COLLATE latin1_swedish_ci) \
         TYPE=MyISAM ROW_FORMAT=FIXED DEFAULT CHARSET=latin1;\
         CREATE TABLE `c` (`d` int) ENGINE=MyISAM DEFAULT CHARSET=utf8mb4 \
         COLLATE=utf8mb4_0900_ai_ci /*!80016 DEFAULT ENCRYPTION='N' */;",
        rules(),
    )
    .unwrap();
    assert_eq!(
        ran[0],
        "CREATE TABLE `a` ( `type` int, `b` text CHARACTER SET utf8mb4 COLLATE \
         utf8mb4_unicode_520_ci) ENGINE=InnoDB DEFAULT CHARSET utf8mb4"
    );
    assert_eq!(
        ran[1],
        "CREATE TABLE `c` ( `d` int) ENGINE=InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = \
         utf8mb4_unicode_520_ci"
    );
}

#[test]
fn another_prefix_becomes_the_platforms() {
    let prefix = Some(("old_".to_owned(), "wp_".to_owned()));
    let ran = judged(
        "CREATE TABLE `old_a` (b int, CONSTRAINT c FOREIGN KEY (b) REFERENCES `old_d` (e));\
         INSERT INTO `old_a` (`b`) VALUES (1);INSERT INTO other VALUES ('old_a');\
         ALTER TABLE `old_a` ADD PRIMARY KEY (`b`), ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES \
         `old_d` (e);CREATE TABLE `wp_a` (b int);INSERT INTO `wp_a` VALUES (1);",
        Rules { prefix, ..Rules::default() },
    )
    .unwrap();
    assert!(ran[0].starts_with("CREATE TABLE `wp_a`") && ran[0].contains("REFERENCES `wp_d`"));
    assert_eq!(ran[1], "INSERT INTO `wp_a` ( `b`) VALUES (1)");
    assert_eq!(ran[2], "INSERT INTO other VALUES ('old_a')");
    assert!(ran[3].contains("`wp_a` ADD PRIMARY KEY") && ran[3].contains("REFERENCES `wp_d`"));
    assert_eq!(ran[4..], ["left: table wp_a"], "it would be another's");
}

#[test]
fn the_address_changes_in_texts_and_lengths_but_not_in_guids() {
    let address = AddressChange::new(&["http://old.example"], "http://newer.example");
    let ran = judged(
        "CREATE TABLE wp_posts (id int, guid text, post_content longtext);\
         INSERT INTO wp_posts VALUES (1,'http://old.example/?p=1','see http://old.example/x'),\
         (2,'http://old.example/?p=2','a:1:{i:0;s:18:\\\"http://old.example\\\";}');\
         INSERT INTO wp_options VALUES ('O\\'Neil http:\\\\/\\\\/old.example');",
        Rules { address, ..Rules::default() },
    )
    .unwrap();
    assert_eq!(
        ran[1],
        "INSERT INTO `wp_posts` VALUES (1,'http://old.example/?p=1','see http://newer.example/x'),\
         (2,'http://old.example/?p=2','a:1:{i:0;s:20:\"http://newer.example\";}')"
    );
    assert_eq!(ran[2], "INSERT INTO `wp_options` VALUES ('O\\'Neil http:\\\\/\\\\/newer.example')");
}

#[test]
fn what_is_not_utf8_becomes_it() {
    let mut judge = Judge::new(Rules { foreign: true, ..Rules::default() });
    let mut run = |text: &[u8]| {
        let statement = Statement { text: text.to_vec(), line: 1 };
        match judge.judge(&statement).unwrap() {
            Verdict::Run(run) => String::from_utf8(run.sql.into_owned()).unwrap(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(
        run(b"INSERT INTO t VALUES ('caf\xe9',_binary 'a\xff','\xc3\xa9')"),
        "INSERT INTO `t` VALUES (X'636166e9',X'61ff','é')"
    );
    run(b"SET NAMES latin1");
    assert_eq!(
        run(b"INSERT INTO t VALUES ('caf\xe9',_binary 'a\xff')"),
        "INSERT INTO `t` VALUES ('café',X'61ff')"
    );
    // UTF-8 that a latin1 connection carried: it is what it says.
    assert_eq!(run("INSERT INTO t VALUES ('é')".as_bytes()), "INSERT INTO t VALUES ('é')");
}

#[test]
fn rows_are_read_as_they_were_meant() {
    let mut found = Vec::new();
    rows::each(b"INSERT INTO `o` VALUES (1,'a\\'b', NULL ,_utf8 'c'),(2,'',-1.5,0xFF)", |row| {
        found.push(
            row.iter()
                .map(|value| value.as_ref().map(|v| String::from_utf8_lossy(v).into_owned()))
                .collect::<Vec<_>>(),
        );
    });
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found[0], [text("1"), text("a'b"), None, text("c")]);
    assert_eq!(found[1], [text("2"), text(""), text("-1.5"), text("0xFF")]);
}

#[test]
fn tables_and_columns_are_bounded() {
    let columns = |count: usize| vec!["a int"; count].join(",");
    assert!(judged(&format!("CREATE TABLE t ({});", columns(4_096)), Rules::default()).is_ok());
    assert!(refused(&format!("CREATE TABLE t ({});", columns(4_097))).contains("4096 columns"));
    let many = vec!["a"; 1 << 20].join(",");
    assert!(refused(&format!("CREATE TABLE t ({many});")).contains("300000 words"));
    let long = "ä".repeat(65);
    assert!(refused(&format!("CREATE TABLE t (`{long}` int);")).contains("64 characters"));
    assert!(refused(&format!("CREATE TABLE `{long}` (a int);")).contains("without a name"));
    let tables = |range: std::ops::Range<u32>| -> String {
        range.map(|number| format!("CREATE TABLE t{number} (a int);")).collect()
    };
    assert!(refused(&tables(0..10_001)).contains("a table beyond the 10000"));
    // One that is made again is no other one.
    assert!(judged(&(tables(0..10_000) + &tables(0..10)), Rules::default()).is_ok());
    let wide: String =
        (0..49).map(|number| format!("CREATE TABLE t{number} ({});", columns(4_096))).collect();
    assert!(refused(&wide).contains("a column beyond the 200000"));
}

/// Whatever of a comment one server runs and another does not: it is not there any more.
#[test]
fn what_runs_is_what_was_judged() {
    for version in ["", "050000", "101110", "101119", "110400", "999999"] {
        for mark in ["/*!", "/*M!"] {
            let comment = format!("{mark}{version} SELECT SLEEP(9) UNION */");
            for sql in [
                format!("INSERT INTO t {comment} VALUES (1)"),
                format!("REPLACE {comment} INTO t VALUES (1)"),
                format!("{comment} INSERT INTO t (a {comment}) VALUES (1)"),
                format!("INSERT INTO t VALUES (1 {comment})"),
                format!("CREATE TABLE t (a int) {comment}"),
                format!("CREATE TABLE t (a int {comment})"),
                format!("ALTER TABLE t ADD KEY (a) {comment}"),
            ] {
                if let Ok(ran) = judged(&sql, Rules::default()) {
                    let ran = ran.concat();
                    assert!(!ran.contains("/*") && !ran.contains("SLEEP"), "{sql}: {ran}");
                }
            }
        }
    }
    let ran = judged(
        "INSERT INTO t /*M!101119 SELECT SLEEP(9) UNION */ VALUES (1);\
         -- x\nREPLACE INTO t VALUES (2);",
        Rules::default(),
    );
    assert_eq!(ran.unwrap(), ["INSERT INTO `t` VALUES (1)", "REPLACE INTO `t` VALUES (2)"]);
}

/// Signs that stood apart stay apart, and operators stay whole.
#[test]
fn signs_make_no_comments() {
    let smuggled =
        "CREATE TABLE t (a int default (1 - - '\n+ 2)); CREATE VIEW v AS SELECT 1; -- '))";
    let ran = judged(smuggled, Rules::default()).unwrap();
    assert!(ran[0].contains("( 1 - - '\n+ 2)); CREATE"), "{}", ran[0]);
    let ran = judged("CREATE TABLE t (a int default (1 / * '*/ 2'))", Rules::default()).unwrap();
    assert!(!ran[0].contains("/*"), "{}", ran[0]);
    let ran =
        judged("CREATE TABLE t (a int CHECK (a <= 5 AND a<>3 || a >> 1 <=> 2))", Rules::default());
    let whole = "CREATE TABLE `t` ( a int CHECK ( a <= 5 AND a <> 3 || a >> 1 <=> 2))";
    assert_eq!(ran.unwrap(), [whole]);
}
