use multiprocess as mp;

#[mp::process_target]
fn backwards(word: String) -> String {
    word.chars().rev().collect()
}

#[test]
fn integration() -> mp::Result<()> {
    assert_eq!(mp::spawn(backwards, ("abc".to_owned(),))?.join()?, "cba");
    assert_eq!(mp::spawn(suite::letters, ("abc".to_owned(),))?.join()?, 3);
    Ok(())
}
