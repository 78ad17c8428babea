from repflow_mm.flow_names import flow_name


def test_blanks_would_split_the_lines_of_a_list():
    assert flow_name('swing baseball/a b\tc') == 'swing_baseball/a_b_c'
